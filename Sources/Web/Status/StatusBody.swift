// SPDX-License-Identifier: Apache-2.0
internal import Base

/// `GET /api/status` as JSON: what `starling status` shows, for programs.
enum StatusBody {
    static func json(_ daemon: DaemonObservation) -> JSONText {
        let readiness = Readiness.checks(of: daemon)
        return .object([
            ("version", .text(daemon.version)),
            ("uptime_seconds", .number(Int64(daemon.uptimeNs / 1_000_000_000))),
            ("stage", .text(daemon.stage == .draining ? "draining" : "serving")),
            ("ready", .truth(readiness.allSatisfy(\.isOK))),
            (
                "not_ready",
                .list(
                    readiness.filter { !$0.isOK }.map {
                        .object([("check", .text($0.name)), ("detail", .text($0.detail))])
                    })
            ),
            ("listeners", .object(daemon.listeners.map { ($0.name, .text($0.address)) })),
            ("certificate", daemon.certificate.map(certificate) ?? .null),
            ("signals", .object(Signal.allCases.map { ($0.label, signal($0, daemon)) })),
            ("rates_window_seconds", .decimal(HealthAnswer.seconds(daemon.recent.spanNs))),
            ("ack_latency_ms", .object(latency(daemon))),
            (
                "last_commit_age_seconds",
                .decimal(daemon.commits.lastAgeNs.map(HealthAnswer.seconds))
            ),
            ("ring", ring(daemon.ring)),
            (
                "memory",
                .object([
                    ("used_bytes", .number(Int64(daemon.memory.inUseBytes))),
                    ("budget_bytes", .number(Int64(daemon.memory.limitBytes))),
                    ("resident_bytes", .number(Int64(daemon.process.residentBytes))),
                ])
            ),
            (
                "connections",
                .object([
                    ("open", .number(Int64(daemon.connections.openCount))),
                    ("max", .number(Int64(daemon.connections.countMax))),
                ])
            ),
            (
                "writers",
                .object([
                    ("busy", .number(Int64(daemon.writers.busyCount))),
                    ("count", .number(Int64(daemon.writers.count))),
                ])
            ),
            (
                "database",
                .object(
                    HealthAnswer.databaseMembers(daemon.database, state: daemon.database.state))
            ),
            ("breaker", breaker(daemon.breaker)),
            ("spool", daemon.spool.map(spool) ?? .null),
        ])
    }

    private static func certificate(_ certificate: DaemonObservation.Certificate) -> JSONText {
        .object([
            ("names", .list(certificate.identity.names.map { .text($0) })),
            ("fingerprint", .text(certificate.identity.fingerprint)),
            ("not_after_unix_seconds", .number(certificate.notAfterUnixSeconds)),
        ])
    }

    private static func signal(_ signal: Signal, _ daemon: DaemonObservation) -> JSONText {
        let counters = daemon.counters
        return .object([
            ("received", .number(Int64(counters[signal.receivedCounter]))),
            ("committed", .number(Int64(counters[signal.committedCounter]))),
            ("dead_lettered", .number(Int64(counters[signal.deadLetteredCounter]))),
            ("deduplicated", .number(Int64(counters[signal.deduplicatedCounter]))),
            ("refused", .number(Int64(counters[signal.refusedCounter]))),
            ("spooled", .number(Int64(counters[signal.spooledCounter]))),
            ("replayed", .number(Int64(counters[signal.replayedCounter]))),
            ("received_per_second", .decimal(daemon.recent.receivedPerSecond[signal] ?? 0)),
            ("committed_per_second", .decimal(daemon.recent.committedPerSecond[signal] ?? 0)),
        ])
    }

    /// Of the last seconds, and where nothing was acknowledged in them, of the daemon's life.
    private static func latency(_ daemon: DaemonObservation) -> [(String, JSONText)] {
        let (histogram, isRecent) = daemon.shownAckLatency
        return [
            ("p50", .decimal(histogram.percentileNs(50).map(HealthAnswer.milliseconds))),
            ("p99", .decimal(histogram.percentileNs(99).map(HealthAnswer.milliseconds))),
            ("count", .number(Int64(histogram.count))), ("is_recent", .truth(isRecent)),
        ]
    }

    static func breaker(_ breaker: DaemonObservation.Breaker) -> JSONText {
        .object([
            ("state", .text(breaker.state.rawValue)),
            ("failures", .number(Int64(breaker.failureCount))),
            ("last_error", breaker.lastError.map { .text($0) } ?? .null),
        ])
    }

    static func spool(_ spool: DaemonObservation.Spool) -> JSONText {
        .object([
            ("bytes", .number(Int64(spool.sizeBytes))),
            ("bytes_max", .number(Int64(spool.sizeBytesMax))),
            ("records", .number(Int64(spool.recordCount))),
            ("oldest_age_seconds", .decimal(spool.oldestAgeNs.map(HealthAnswer.seconds))),
            ("damaged_files", .number(Int64(spool.damagedFileCount))),
            ("ready", .truth(spool.isReady)),
            ("last_error", spool.lastError.map { .text($0) } ?? .null),
        ])
    }

    private static func ring(_ ring: DaemonObservation.Ring) -> JSONText {
        .object([
            ("exports", .number(Int64(ring.exportCount))),
            ("items", .number(Int64(ring.itemCount))),
            ("exports_max", .number(Int64(ring.exportCountMax))),
        ])
    }
}

extension DaemonObservation {
    /// The acknowledgements of the last seconds; those of the daemon's life where there were none.
    var shownAckLatency: (histogram: HistogramSnapshot, isRecent: Bool) {
        if recent.ackLatency.count > 0 { return (recent.ackLatency, true) }
        return (ackLatency.values.reduce(into: HistogramSnapshot()) { $0.add($1) }, false)
    }
}

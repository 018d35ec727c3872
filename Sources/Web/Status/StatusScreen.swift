// SPDX-License-Identifier: Apache-2.0
internal import Base

/// `GET /api/status` as text: one screen for people.
enum StatusScreen {
    static func text(_ daemon: DaemonObservation) -> String {
        var text = "Starling \(daemon.version), "
        text += daemon.stage == .draining ? "draining" : "serving"
        text += " for \(Readiness.text(daemon.uptimeNs))\n\n"
        for (label, value) in facts(daemon) { text += line(label, value) }
        return text + "\n" + signals(daemon) + "\n" + load(daemon)
    }

    private static func facts(_ daemon: DaemonObservation) -> [(String, String)] {
        let listeners = daemon.listeners.map { "\($0.name) \($0.address)" }
        let failing = Readiness.checks(of: daemon).filter { !$0.isOK }
        var facts = [
            ("endpoints", listeners.joined(separator: ", ")),
            ("ready", failing.isEmpty ? "yes" : "no"),
        ]
        if let certificate = daemon.certificate {
            facts.append(("certificate", text(of: certificate, nowUnixNs: Clock.unixNs)))
        }
        for check in failing { facts.append(("", "\(check.name): \(check.detail)")) }
        facts.append(("database", database(daemon.database)))
        facts.append(("breaker", breaker(daemon.breaker)))
        if let spool = daemon.spool { facts.append(("spool", text(of: spool))) }
        if let least = daemon.database.partitionsAhead.min(by: { $0.aheadNs < $1.aheadNs }) {
            facts.append(("partitions", "ready for \(Readiness.text(least.aheadNs)) at least"))
        }
        facts.append(
            (
                "last commit",
                daemon.commits.lastAgeNs.map { "\(Readiness.text($0)) ago" } ?? "none yet"
            ))
        return facts
    }

    static func text(
        of certificate: DaemonObservation.Certificate, nowUnixNs: UInt64
    ) -> String {
        let secondsLeft =
            certificate.notAfterUnixSeconds - Int64(clamping: nowUnixNs / 1_000_000_000)
        let names = certificate.identity.names.joined(separator: ", ")
        guard secondsLeft > 0 else { return "EXPIRED, for \(names)" }
        let left = Readiness.text(UInt64(secondsLeft) * 1_000_000_000)
        return "for \(names), expires in \(left)"
    }

    private static func database(_ database: DatabaseObservation) -> String {
        var text = database.state.rawValue
        if let reason = database.reason { text += ": \(reason)" }
        if let version = database.serverVersion { text += ", PostgreSQL \(version)" }
        if let version = database.schemaVersion { text += ", schema \(version)" }
        if let roundTripNs = database.roundTripNs {
            text += ", answers in \(milliseconds(roundTripNs))"
        }
        return text
    }

    private static func breaker(_ breaker: DaemonObservation.Breaker) -> String {
        guard breaker.state != .closed else { return "closed: batches go to the database" }
        let state = breaker.state == .open ? "open" : "half open, one attempt is under way"
        let cause = breaker.lastError.map { ", the last: \($0)" } ?? ""
        return "\(state) after \(breaker.failureCount) failures\(cause)"
    }

    private static func text(of spool: DaemonObservation.Spool) -> String {
        var text = "\(mebibytes(spool.sizeBytes)) of \(mebibytes(spool.sizeBytesMax)), "
        text += "\(spool.recordCount) requests wait"
        if let ageNs = spool.oldestAgeNs { text += ", the oldest for \(Readiness.text(ageNs))" }
        if spool.damagedFileCount > 0 { text += ", \(spool.damagedFileCount) damaged files" }
        if !spool.isReady { text += "; takes no more: \(spool.lastError ?? "full")" }
        return text
    }

    private static func signals(_ daemon: DaemonObservation) -> String {
        var rows = [["", "PER SECOND", "RECEIVED", "COMMITTED", "DEAD", "DEDUPLICATED", "REFUSED"]]
        for signal in Signal.allCases {
            rows.append([
                signal.itemName, rate(daemon.recent.committedPerSecond[signal] ?? 0),
                "\(daemon.counters[signal.receivedCounter])",
                "\(daemon.counters[signal.committedCounter])",
                "\(daemon.counters[signal.deadLetteredCounter])",
                "\(daemon.counters[signal.deduplicatedCounter])",
                "\(daemon.counters[signal.refusedCounter])",
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { index, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + space : space + cell.0
            }
            return "  " + cells.joined(separator: "  ") + "\n"
        }.joined()
    }

    private static func load(_ daemon: DaemonObservation) -> String {
        let (latency, isRecent) = daemon.shownAckLatency
        let when = isRecent ? "last \(Readiness.text(daemon.recent.spanNs))" : "since the start"
        let percentiles =
            if let p50 = latency.percentileNs(50), let p99 = latency.percentileNs(99) {
                "p50 \(milliseconds(p50)), p99 \(milliseconds(p99)) (\(when))"
            } else {
                "nothing acknowledged yet"
            }
        let ring = daemon.ring
        return line("ack latency", percentiles)
            + line(
                "ring",
                "\(ring.exportCount) of \(ring.exportCountMax) requests, \(ring.itemCount) items")
            + line(
                "memory",
                "\(mebibytes(daemon.memory.inUseBytes)) of "
                    + "\(mebibytes(daemon.memory.limitBytes)) for requests, "
                    + "\(mebibytes(daemon.process.residentBytes)) resident")
            + line(
                "connections", "\(daemon.connections.openCount) of \(daemon.connections.countMax)")
            + line("writers", "\(daemon.writers.busyCount) of \(daemon.writers.count) busy")
    }

    private static func line(_ label: String, _ value: String) -> String {
        "  " + label + String(repeating: " ", count: 13 - label.count) + value + "\n"
    }

    private static func rate(_ value: Double) -> String {
        value >= 100 ? "\(Int(value))" : tenths(Int(value * 10))
    }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        "\(tenths(Int(nanoseconds / 100_000))) ms"
    }

    private static func mebibytes(_ bytes: Int) -> String {
        "\(tenths(bytes / ((1 << 20) / 10))) MiB"
    }

    private static func tenths(_ value: Int) -> String { "\(value / 10).\(value % 10)" }
}

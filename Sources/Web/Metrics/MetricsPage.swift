// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Query

/// The page of metrics: one section per part of the daemon. The number of samples is fixed.
struct MetricsPage {
    private let daemon: DaemonObservation
    private let tails: TailFigures
    private var page = MetricsText()

    static func text(
        _ daemon: DaemonObservation, _ tails: TailFigures = TailFigures()
    ) -> String {
        var page = MetricsPage(daemon, tails)
        page.addCollectorMetrics()
        page.addCounters()
        page.addLatencies()
        page.addQueue()
        page.addWork()
        page.addSecurity()
        page.addDatabase()
        page.addOutage()
        page.addAuth()
        page.addTails()
        page.addProcess()
        return page.page.text
    }

    private init(_ daemon: DaemonObservation, _ tails: TailFigures) {
        self.daemon = daemon
        self.tails = tails
    }

    // MARK: Sections

    /// What the OpenTelemetry collector calls `otelcol_...`, with its names and labels, so that
    /// dashboards made for it show this daemon as well. Type suffixes are on, as in its exposition
    /// with a reader that is configured.
    private mutating func addCollectorMetrics() {
        let counters = daemon.counters
        for signal in Signal.allCases {
            let item = signal.collectorItemName
            addReceiver(
                "accepted_\(item)", "Number of \(signal.itemName) that were acknowledged as stored."
            ) { counters[$0.acceptedCounter(signal)] }
            addReceiver(
                "refused_\(item)",
                "Number of \(signal.itemName) that were not stored; the client was told so."
            ) { counters[$0.refusedCounter(signal)] }
            addReceiver(
                "failed_\(item)",
                "Number of \(signal.itemName) lost by an error of the receiver: none ever is."
            ) { _ in 0 }
            page.family(
                "otelcol_exporter_sent_\(item)_total", .counter,
                "Number of \(signal.itemName) that were committed.")
            page.sample(
                "otelcol_exporter_sent_\(item)_total", [("exporter", "postgresql")],
                counters[signal.committedCounter])
        }
        page.family(
            "otelcol_exporter_queue_size", .gauge, "Requests that wait for a writer.")
        page.sample(
            "otelcol_exporter_queue_size", [("exporter", "postgresql")], daemon.ring.exportCount)
        page.family(
            "otelcol_exporter_queue_capacity", .gauge, "Requests that may wait for a writer.")
        page.sample(
            "otelcol_exporter_queue_capacity", [("exporter", "postgresql")],
            daemon.ring.exportCountMax)
    }

    private mutating func addReceiver(
        _ name: String, _ help: String, _ count: (ExportTransport) -> Int
    ) {
        let name = "otelcol_receiver_\(name)_total"
        page.family(name, .counter, help)
        for transport in ExportTransport.allCases {
            page.sample(
                name, [("receiver", "otlp"), ("transport", transport.rawValue)], count(transport))
        }
    }

    private mutating func addCounters() {
        let places = Counter.allCases.map { (counter: $0, place: $0.place) }
        for family in CounterFamily.allCases {
            page.family(family.metricName, .counter, family.help)
            for (counter, place) in places where place.family == family {
                page.sample(family.metricName, place.labels, daemon.counters[counter])
            }
        }
    }

    private mutating func addLatencies() {
        page.family(
            "starling_ack_latency_seconds", .histogram,
            "From the last byte of a request to its acknowledgement; those told to retry are not "
                + "in it.")
        for signal in Signal.allCases {
            page.histogram(
                "starling_ack_latency_seconds", [("signal", signal.label)],
                daemon.ackLatency[signal] ?? HistogramSnapshot())
        }
        page.family(
            "starling_commit_latency_seconds", .histogram,
            "From BEGIN to the answer to COMMIT of one transaction with telemetry.")
        page.histogram("starling_commit_latency_seconds", [], daemon.commitLatency)
    }

    private mutating func addQueue() {
        page.gauge(
            "starling_ring_exports", "Decoded requests that wait for a writer.",
            daemon.ring.exportCount)
        page.gauge(
            "starling_ring_items", "Items of the requests that wait for a writer.",
            daemon.ring.itemCount)
        page.gauge(
            "starling_ring_exports_max", "Requests that may wait (ring.exports_max).",
            daemon.ring.exportCountMax)
        page.gauge(
            "starling_memory_budget_used_bytes", "Bytes held for requests.",
            daemon.memory.inUseBytes)
        page.gauge(
            "starling_memory_budget_bytes",
            "Bytes that may be held for requests (memory.budget_bytes).", daemon.memory.limitBytes)
        page.gauge(
            "starling_dimension_cache_entries", "Dimension ids in the caches of all writers.",
            daemon.dimensionEntryCount)
    }

    private mutating func addWork() {
        page.gauge(
            "starling_connections", "Connections of clients that are open.",
            daemon.connections.openCount)
        page.gauge(
            "starling_connections_max", "Connections that may be open (limits.connections_max).",
            daemon.connections.countMax)
        page.gauge("starling_writers", "Writers (database.writers).", daemon.writers.count)
        page.gauge(
            "starling_writers_busy", "Writers that have a batch in hand.", daemon.writers.busyCount)
        page.gauge("starling_loops", "Event loops (server.loops).", daemon.loops.count)
        page.gauge(
            "starling_draining", "1 from SIGTERM on.", daemon.stage == .draining ? 1 : 0)
        page.gauge(
            "starling_last_commit_age_seconds",
            "Since the last commit of telemetry; -1 before the first.",
            daemon.commits.lastAgeNs.map(MetricsText.seconds) ?? -1)
        page.gauge(
            "starling_commit_failing_seconds",
            "Since the first of the failures that followed the last commit; 0 while batches are "
                + "stored.",
            daemon.commits.failingForNs.map(MetricsText.seconds) ?? 0)
    }

    private mutating func addSecurity() {
        guard let certificate = daemon.certificate else { return }
        page.gauge(
            "starling_tls_certificate_not_after_seconds",
            "When the certificate that clients see expires, since 1970.",
            Int(certificate.notAfterUnixSeconds))
    }

    private mutating func addDatabase() {
        let database = daemon.database
        page.family(
            "starling_database_state", .gauge, "1 for the state that the database is in, 0 else.")
        for state in DatabaseState.allCases {
            page.sample(
                "starling_database_state", [("state", state.rawValue)],
                state == database.state ? 1 : 0)
        }
        page.gauge(
            "starling_database_answered_age_seconds",
            "Since the last look at the database that was answered; -1 before the first.",
            database.answeredAgeNs.map(MetricsText.seconds) ?? -1)
        page.gauge(
            "starling_database_round_trip_seconds",
            "How long the last answer took; -1 before the first.",
            database.roundTripNs.map(MetricsText.seconds) ?? -1)
        page.gauge(
            "starling_schema_version", "Migrations that are applied; -1 where that is not known.",
            database.schemaVersion ?? -1)
        page.gauge(
            "starling_schema_version_wanted", "Migrations that this version has.",
            database.schemaVersionWanted)
        page.family(
            "starling_partitions_ahead_seconds", .gauge,
            "How far from now a fact table takes rows without a gap between its partitions.")
        for ahead in database.partitionsAhead {
            page.sample(
                "starling_partitions_ahead_seconds", [("table", ahead.table)],
                MetricsText.seconds(ahead.aheadNs))
        }
    }

    private mutating func addOutage() {
        page.family(
            "starling_breaker_state", .gauge, "1 for the state of the circuit breaker, 0 else.")
        for state in DaemonObservation.Breaker.State.allCases {
            page.sample(
                "starling_breaker_state", [("state", state.rawValue)],
                state == daemon.breaker.state ? 1 : 0)
        }
        page.gauge(
            "starling_breaker_failures", "Failures of writers since the last success.",
            daemon.breaker.failureCount)
        guard let spool = daemon.spool else { return }
        page.gauge("starling_spool_bytes", "Bytes of the spool on disk.", spool.sizeBytes)
        page.gauge(
            "starling_spool_bytes_max", "Bytes that it may take (spool.bytes_max).",
            spool.sizeBytesMax)
        page.gauge(
            "starling_spool_records", "Requests in the spool that wait for the database.",
            spool.recordCount)
        page.gauge(
            "starling_spool_oldest_age_seconds",
            "Since the oldest request in the spool arrived; 0 where none waits.",
            spool.oldestAgeNs.map(MetricsText.seconds) ?? 0)
        page.gauge(
            "starling_spool_damaged_files", "Damaged files that were set aside for a person.",
            spool.damagedFileCount)
        page.gauge(
            "starling_spool_ready", "1 while the spool takes requests, 0 else.",
            spool.isReady ? 1 : 0)
    }

    private mutating func addAuth() {
        page.gauge(
            "starling_auth_required", "1 where every request needs a token (auth.required).",
            daemon.auth.isRequired ? 1 : 0)
        page.gauge(
            "starling_tokens", "Tokens and certificates that count.", daemon.auth.tokenCount)
        page.gauge(
            "starling_tokens_stamp",
            "The stamp in otel_token_changes of the list that is in force; -1 before the first.",
            Int(daemon.auth.listStamp ?? -1))
        page.gauge(
            "starling_tokens_age_seconds",
            "Since the database said last that the list of tokens is current; -1 before the first "
                + "time.",
            daemon.auth.listAgeNs.map(MetricsText.seconds) ?? -1)
    }

    private mutating func addTails() {
        page.gauge(
            "starling_tails", "Clients that follow what is stored (query.tails_max).",
            tails.openCount)
        page.family(
            "starling_tail_rows_total", .counter,
            "Rows for clients that follow what is stored: sent, or counted instead.")
        page.sample("starling_tail_rows_total", [("outcome", "sent")], tails.deliveredCount)
        page.sample("starling_tail_rows_total", [("outcome", "skipped")], tails.skippedCount)
        page.family(
            "starling_tail_looks_total", .counter,
            "Looks for what is new, for all who follow: one statement each.")
        page.sample("starling_tail_looks_total", [], tails.lookCount)
        page.family(
            "starling_tail_reads_total", .counter,
            "Questions for which such a look has read rows, in a few statements more.")
        page.sample("starling_tail_reads_total", [], tails.readCount)
    }

    private mutating func addProcess() {
        let process = daemon.process
        page.family("starling_build_info", .gauge, "Always 1; the labels say what runs.")
        page.sample("starling_build_info", [("version", daemon.version)], 1)
        page.family(
            "process_cpu_seconds_total", .counter, "Processor time used, of all threads.")
        page.sample("process_cpu_seconds_total", [], MetricsText.seconds(process.cpuNs))
        page.gauge(
            "process_resident_memory_bytes", "Resident memory.", process.residentBytes)
        page.gauge("process_virtual_memory_bytes", "Address space.", process.virtualBytes)
        page.gauge("process_open_fds", "Open file descriptors.", process.openDescriptorCount)
        page.gauge(
            "process_max_fds", "File descriptors that may be open.", process.descriptorCountMax)
        page.gauge("process_threads", "Threads.", process.threadCount)
        page.gauge(
            "process_start_time_seconds", "When it began to serve, since 1970.",
            MetricsText.seconds(daemon.startUnixNs))
    }
}

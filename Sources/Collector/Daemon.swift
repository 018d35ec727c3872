// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
package import Logging
internal import Postgres
package import Socket
internal import Spool
internal import TLS

/// Why the daemon did not start, or how it ended.
package struct DaemonError: Error, CustomStringConvertible {
    package enum Code: Sendable {
        /// No session with the database could be opened.
        case databaseUnreachable
        /// The database is there, but not as this version needs it.
        case schemaNotCurrent
        /// A listening socket could not be opened.
        case cannotListen
        /// No daemon answers where one was asked.
        case daemonUnreachable
        /// Anything else.
        case failed
    }

    package let code: Code
    /// One sentence with the remedy.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// Where what is served; nil is off.
package struct ServedEndpoints: Sendable {
    package let grpc: Endpoint?
    package let http: Endpoint?
    package let api: Endpoint?
    package let jaeger: Endpoint?
    /// Whether `http` is a socket that the service manager opened: its path is not ours.
    let isHTTPAdopted: Bool

    package init(
        grpc: Endpoint?, http: Endpoint?, api: Endpoint?, jaeger: Endpoint? = nil,
        isHTTPAdopted: Bool = false
    ) {
        self.grpc = grpc
        self.http = http
        self.api = api
        self.jaeger = jaeger
        self.isHTTPAdopted = isHTTPAdopted
    }
}

/// The daemon from start to end: checks the database, runs the pipeline, obeys signals.
///
/// Thread: the main thread, from a time at which there is no other.
package struct Daemon {
    private let configuration: Configuration
    private let logger: Logger
    private let serviceManager: ServiceManager
    private let database: DatabaseSettings
    private let servers: WebServers
    private let stop = StopSignal()
    private var sockets: ActivatedSockets

    private static let turnMs = 500

    /// `sockets` are those that the service manager opened; the daemon owns them.
    package init(
        _ configuration: Configuration, logger: Logger, serviceManager: ServiceManager,
        sockets: ActivatedSockets = ActivatedSockets(), servers: WebServers
    ) {
        self.sockets = sockets
        self.configuration = configuration
        self.logger = logger
        self.serviceManager = serviceManager
        self.servers = servers
        database = DatabaseSettings(configuration)
    }

    /// Serves until SIGTERM or SIGINT, then drains; a second one ends it at once.
    ///
    /// `started` is called once everything is served, with where; `reload` on SIGHUP, for the
    /// configuration to go on with, or nil where it stays as it was.
    package mutating func serve(
        started: (ServedEndpoints) -> Void, reload: () -> Configuration?
    ) throws(DaemonError) {
        ProcessMemory.configure()
        var signals = Signals()
        let partitions = PartitionMaker(
            interval: configuration.partitions.interval, cache: PartitionCache())
        let spool = try openSpool()
        do throws(DaemonError) {
            try checkDatabase()
        } catch {
            // With a spool there is somewhere to put what comes until the database is back.
            guard spool != nil, error.code == .databaseUnreachable else { throw error }
            logger.warning("\(error); exports go to the spool until it does")
        }
        let counters = Counters()
        let tls = try TLSKeeper(configuration.tls, counters: counters, logger: logger)
        let pipeline = try makePipeline(partitions, spool, tls, counters)
        // First, because it may fail, and what has started must be ended.
        if let endpoint = pipeline.endpoint {
            pipeline.observer.serves(.init(name: "grpc", address: "\(endpoint)"))
        }
        let served = try servers.start(
            configuration, pipeline, tls, httpSocket: sockets.take(.http))
        pipeline.start()
        if let endpoint = pipeline.endpoint { logger.notice("serving OTLP/gRPC on \(endpoint)") }
        if let endpoint = served.http { logger.notice("serving OTLP/HTTP on \(endpoint)") }
        if let endpoint = served.jaeger {
            logger.notice("serving Jaeger's query API on \(endpoint)")
        }
        if let endpoint = served.api { logger.notice("serving metrics and health on \(endpoint)") }
        started(served)
        serviceManager.ready(status: "serving")
        watch(pipeline, tls, &signals, reload: reload)
        end(pipeline, &signals)
        // Last, so that the end can be watched, and the last outcomes reach their clients.
        servers.stop(served)
    }

    // MARK: Start

    /// A daemon that cannot store must not take requests: better to fail now, with the remedy.
    private func checkDatabase() throws(DaemonError) {
        let status = try DatabaseSchema(configuration).status()
        if let first = status.pending.first {
            throw DaemonError(
                .schemaNotCurrent,
                "\(status.pending.count) migrations are pending, from \(first.name) on; "
                    + "run `starling migrate`")
        }
        guard !status.pendingColumns.isEmpty else { return }
        logger.warning(
            """
            \(status.pendingColumns.count) attributes have no column yet, and are stored in the \
            column attributes; run `starling migrate`
            """)
    }

    private func openSpool() throws(DaemonError) -> Spool? {
        let settings = configuration.spool
        guard !settings.directory.isEmpty else { return nil }
        do throws(SpoolError) {
            let spool = try Spool(
                SpoolSettings(
                    path: settings.directory, sizeBytesMax: settings.sizeBytesMax,
                    segmentSizeBytes: settings.segmentSizeBytes))
            let status = spool.status
            if spool.tornSizeBytes > 0 {
                logger.warning(
                    "the spool ended in the middle of a record, which was cut off",
                    metadata: ["bytes": "\(spool.tornSizeBytes)"])
            }
            if spool.missingRecordCount > 0 {
                logger.error(
                    "files of the spool are missing, and lost",
                    metadata: ["records": "\(spool.missingRecordCount)"])
            }
            guard status.recordCount > 0 else { return spool }
            logger.notice(
                "the spool holds exports of an earlier run",
                metadata: ["exports": "\(status.recordCount)", "bytes": "\(status.sizeBytes)"])
            return spool
        } catch {
            throw DaemonError(
                .failed, "the spool cannot be used: \(error); see spool.directory")
        }
    }

    private mutating func makePipeline(
        _ partitions: PartitionMaker, _ spool: Spool?, _ tls: TLSKeeper?, _ counters: Counters
    ) throws(DaemonError) -> Pipeline {
        let inherited = sockets.take(.grpc)
        do throws(SystemError) {
            return try Pipeline(
                configuration, partitions: partitions, database: database, spool: spool,
                inherited: inherited, tls: tls, counters: counters, stop: stop, logger: logger)
        } catch {
            throw DaemonError(
                .cannotListen, "\(error); choose another address with listen.grpc")
        }
    }

    // MARK: Running

    private func watch(
        _ pipeline: Pipeline, _ tls: TLSKeeper?, _ signals: inout Signals,
        reload: () -> Configuration?
    ) {
        var lastObservedNs = Clock.monotonicNs
        var lastWatchdogNs: UInt64 = 0
        let watchdogPeriodNs = serviceManager.watchdogPeriodMs.map { UInt64($0) * 1_000_000 }
        while true {
            switch signals.wait(timeoutMs: Daemon.turnMs) {
            case .terminate: return
            case .reload:
                serviceManager.reloading()
                if let adopted = reload() {
                    pipeline.adopt(adopted)
                    tls?.adopt(adopted.tls)
                } else {
                    // A mistake elsewhere in the configuration keeps no new certificate out.
                    tls?.load()
                }
                serviceManager.ready(status: "serving")
            case nil: break
            }
            let nowNs = Clock.monotonicNs
            tls?.lookIfDue(nowNs: nowNs)
            if nowNs - lastObservedNs >= 1_000_000_000 {
                pipeline.retryHint.observe(elapsedNs: nowNs - lastObservedNs)
                pipeline.sweep()
                lastObservedNs = nowNs
            }
            if let periodNs = watchdogPeriodNs, nowNs - lastWatchdogNs >= periodNs / 2,
                pipeline.isAlive(nowNs: nowNs)
            {
                serviceManager.watchdog()
                lastWatchdogNs = nowNs
            }
        }
    }

    // MARK: End

    private func end(_ pipeline: Pipeline, _ signals: inout Signals) {
        serviceManager.stopping(status: "draining")
        logger.notice("draining: what is in flight is still stored and answered")
        servers.http.beginDrain()
        let deadlineNs = Deadline.inMs(configuration.shutdown.drainTimeoutMs)
        let isDrained = pipeline.drain(with: servers.http) {
            signals.wait(timeoutMs: 20) == .terminate || Clock.monotonicNs >= deadlineNs
        }
        if !isDrained { logger.warning("the drain was cut short: clients will send again") }
        pipeline.end()
        let counters = pipeline.counters
        logger.notice(
            "stopped",
            metadata: [
                "spans": "\(counters[.spansCommitted])",
                "log_records": "\(counters[.logRecordsCommitted])",
                "data_points": "\(counters[.dataPointsCommitted])",
            ])
    }
}

extension DaemonError {
    init(_ error: DatabaseError, _ database: DatabaseSettings) {
        switch error.disposition {
        case .reconnect, .transient, .stopped:
            self.init(
                .databaseUnreachable,
                "the database does not answer: \(error); check database.url and that it runs")
        default:
            self.init(.failed, "the database refused: \(error)")
        }
    }
}

extension DatabaseSettings {
    package init(_ configuration: Configuration) {
        self.init(
            url: configuration.database.url,
            connectTimeoutMs: configuration.database.connectTimeoutMs,
            statementTimeoutMs: configuration.database.statementTimeoutMs)
    }
}

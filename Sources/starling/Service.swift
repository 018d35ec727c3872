// SPDX-License-Identifier: Apache-2.0
internal import Collector
internal import Logging
internal import Postgres
internal import Query
internal import Web

/// What `serve` and `up` have in common: configuration, log, service manager, and the daemon on
/// them.
///
/// Thread: the main thread.
final class Service {
    let logger: Logger
    private(set) var configuration: Configuration
    private let sources: ConfigurationSources
    private let sink: LogSink
    private let serviceManager: ServiceManager
    private let sockets: ActivatedSockets

    /// Reads the configuration; nothing is started yet. Throws `ConfigurationError`, and
    /// `DaemonError` for what systemd hands over.
    init(sources: ConfigurationSources) throws {
        serviceManager = ServiceManager.ofThisProcess()
        sockets = try ActivatedSockets.ofThisProcess()
        var sources = sources
        sources.activated = sockets.endpoints
        self.sources = sources
        configuration = try sources.load().configuration
        sink = LogSink(configuration.log, environment: sources.environment)
        logger = sink.logger()
        for note in configuration.notes(activated: sockets.endpoints) { logger.warning("\(note)") }
    }

    /// Runs the daemon until it is told to end. `started` hears where what is served.
    func run(started: (ServedEndpoints) -> Void) throws(DaemonError) {
        let query = QueryService(ReaderSettings(configuration))
        var daemon = Daemon(
            configuration, logger: logger, serviceManager: serviceManager,
            sockets: sockets,
            servers: WebServers(
                api: WebServer(query: query, logger: logger),
                jaeger: WebServer(query: query, offering: .jaeger, logger: logger),
                http: OTLPServer(logger: logger)))
        try daemon.serve(started: started, reload: reload)
    }

    /// Takes over what may change while running. A configuration with mistakes changes nothing.
    private func reload() -> Configuration? {
        do {
            let (adopted, changes) = try configuration.adopting(
                try sources.load().configuration, activated: sources.activated)
            configuration = adopted
            sink.adopt(adopted.log)
            var logger = self.logger
            logger.logLevel = .notice  // said even where the new level hides it
            for change in changes { logger.notice("\(Service.text(change))") }
            logger.notice("the configuration was read again: \(changes.count) changes")
            return adopted
        } catch {
            logger.error("the configuration stays as it was: \(error)")
            return nil
        }
    }

    private static func text(_ change: Configuration.Change) -> String {
        let values = "\(change.key): \"\(change.oldText)\" → \"\(change.newText)\""
        return change.isAdopted ? values : "\(values) takes a restart"
    }
}

extension ReaderSettings {
    fileprivate init(_ configuration: Configuration) {
        let writable = DatabaseSettings(configuration)
        var database = writable
        if !configuration.query.databaseURL.isEmpty {
            database.url = configuration.query.databaseURL
        }
        database.statementTimeoutMs = configuration.query.statementTimeoutMs
        self.init(
            database: database, writable: writable,
            readerCount: configuration.query.readerCount,
            waitingCountMax: configuration.query.waitingCountMax,
            rangeNsMax: configuration.query.rangeNsMax,
            streamCountMax: configuration.query.streamCountMax,
            fetchTimeoutMs: configuration.query.fetchTimeoutMs,
            tailCountMax: configuration.query.tailCountMax,
            tailIntervalNs: UInt64(configuration.query.tailIntervalNs))
    }
}

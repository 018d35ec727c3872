// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
package import Query
internal import Synchronization
package import TLS

/// Serves the query API, metrics, health and status over HTTP/1.1, on one thread of its own.
///
/// It shares nothing with the data path but the values that an observation reads; what it asks the
/// database, readers of its own do. Thread: `start` and `stop` any, once each.
package final class WebServer: APIServer, TLSServer {
    private let logger: Logger
    private let query: QueryService
    private let offer: Offer
    private let acceptor = Mutex<TLSAcceptor?>(nil)
    private let server = ServerTask()

    // Bounds of what a client can take.
    private static let connectionCountMax = 512
    private static let backlog = 64
    private static let idleSeconds: Int64 = 30
    private static let headerListSizeBytesMax = 16 << 10
    private static let headerFieldSizeBytesMax = 8 << 10
    private static let headerCountMax = 100

    /// What is served.
    package enum Offer: Sendable {
        /// All of the above, and Jaeger's query API at `/jaeger`.
        case everything
        /// Jaeger's query API, at the root.
        case jaeger
    }

    /// Starts and stops `query` with itself.
    package init(query: QueryService, offering offer: Offer = .everything, logger: Logger) {
        self.query = query
        self.offer = offer
        self.logger = logger
    }

    package func secure(with acceptor: TLSAcceptor) {
        self.acceptor.withLock { $0 = acceptor }
    }

    package func start(
        at address: APIAddress, observing daemon: any DaemonObserver, door: any ConnectionDoor
    ) throws(APIServerFailure) -> UInt16? {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        query.start()
        return try server.start(
            on: group.any(), name: offer == .jaeger ? "Jaeger's API" : "the API",
            logger: logger
        ) { running in
            try await self.makeApplication(
                at: address, observing: daemon, door: door, on: group, running
            ).run()
        }
    }

    package func stop() {
        query.stop()
        server.stop()
    }

    private static var channel: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            idleTimeout: .seconds(idleSeconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headerFieldSizeBytesMax,
                maxHeaderListSize: headerListSizeBytesMax, maxHeaderFieldCount: headerCountMax))
    }

    private func makeApplication(
        at address: APIAddress, observing daemon: any DaemonObserver, door: any ConnectionDoor,
        on group: MultiThreadedEventLoopGroup,
        _ running: @escaping @Sendable (any Channel) -> Void
    ) -> some ApplicationProtocol {
        let logger = self.logger.quiet
        let bind: BindAddress =
            switch address {
            case .tcp(let host, let port): .hostname(host, port: Int(port))
            case .unix(let path): .unixDomainSocket(path: path)
            }
        return Application(
            router: offer == .jaeger
                ? Routes.jaegerRouter(observing: daemon, answering: query)
                : Routes.router(observing: daemon, answering: query),
            server: HTTPServerBuilder { [acceptor = acceptor.withLock { $0 }] responder in
                AdmittedChannel(
                    WatchedChannel(
                        SecureChannel(
                            HTTP1Channel(responder: responder, configuration: WebServer.channel),
                            acceptor: acceptor)),
                    by: door)
            },
            configuration: ApplicationConfiguration(
                address: bind, serverName: "starling", backlog: WebServer.backlog,
                availableConnectionsDelegate: .maximum(
                    WebServer.connectionCountMax, logger: logger)),
            onServerRunning: { running($0) },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
package import TLS

/// Serves OTLP/HTTP, over HTTP/1.1 and HTTP/2 with prior knowledge, on a thread per lane.
///
/// Hummingbird binds, accepts and drains; requests are served by channel handlers on the event
/// loops, without tasks. Thread: any.
package final class OTLPServer: ExportServer, TLSServer {
    private let logger: Logger
    private let task = ServerTask()
    private let serving = Mutex<Serving?>(nil)
    private let acceptor = Mutex<TLSAcceptor?>(nil)

    private struct Serving {
        let loop: any EventLoop
        /// Takes no new connections, and waits for the end of those that there are.
        let shutDown: @Sendable () async throws -> Void
    }

    private static let backlog = 1_024

    package init(logger: Logger) { self.logger = logger }

    package func secure(with acceptor: TLSAcceptor) {
        self.acceptor.withLock { $0 = acceptor }
    }

    package func start(
        at address: ExportAddress, settings: ExportServerSettings, receiver: any ExportReceiver
    ) throws(APIServerFailure) -> UInt16? {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: receiver.laneCount)
        let loop = group.any()
        let lanes = ExportLanes(group)
        lanes.keepTelling(receiver, group)
        let quiet = logger.quiet
        let service = OTLPService(settings: settings, receiver: receiver, lanes: lanes)
        let acceptor = self.acceptor.withLock { $0 }
        let channels = SecureChannel(
            OTLPChannel(service, isSecured: acceptor != nil), acceptor: acceptor)
        return try task.start(on: loop, name: "OTLP/HTTP", logger: logger) { [self] running in
            let bind: BindAddress
            switch address {
            case .bind(.tcp(let host, let port)): bind = .hostname(host, port: Int(port))
            case .bind(.unix(let path)): bind = .unixDomainSocket(path: path)
            case .adopted(let descriptor):
                let server = AdoptedServer(descriptor, channels, on: group, logger: quiet)
                serving.withLock {
                    $0 = Serving(loop: loop) { try await server.shutdownGracefully() }
                }
                return try await server.run(running)
            }
            let server = Server(
                childChannelSetup: channels,
                configuration: ServerConfiguration(
                    address: bind, serverName: nil, backlog: OTLPServer.backlog),
                onServerRunning: { running($0) }, eventLoopGroup: group, logger: quiet)
            serving.withLock {
                $0 = Serving(loop: loop) { try await server.shutdownGracefully() }
            }
            try await server.run()
        }
    }

    package func beginDrain() {
        guard let serving = serving.withLock({ $0 }) else { return }
        Task(executorPreference: LoopExecutor(serving.loop)) {
            // It only fails where there is nothing left to end.
            try? await serving.shutDown()
        }
    }

    package var isDrained: Bool { task.hasEnded }

    package func stop() { task.stop() }
}

/// What all connections of OTLP/HTTP have in common.
struct OTLPService: Sendable {
    let settings: ExportServerSettings
    let receiver: any ExportReceiver
    let lanes: ExportLanes
    var limits = HTTPLimits()

    /// Counts a connection in, and out when it ends; where it is one too many, it is closed.
    func isOpened(_ channel: any Channel, from peer: PeerAddress) -> Bool {
        guard receiver.connectionOpened(from: peer) else {
            channel.close(promise: nil)
            return false
        }
        channel.closeFuture.whenComplete { [receiver] _ in receiver.connectionClosed(from: peer) }
        return true
    }
}

/// Bounds on what a client can take, beside those that are configured.
struct HTTPLimits: Sendable {
    /// From a connection's begin (behind its TLS handshake), or from the first byte of its next
    /// request, to the end of a request's head.
    var headTime = TimeAmount.seconds(10)
    /// Without a request, of a connection that is kept.
    var idleTime = TimeAmount.seconds(60)
    /// For an idle HTTP/2 connection to go by itself, once it has been asked to.
    var idleGraceTime = TimeAmount.seconds(5)
    /// Without a byte of a body that is announced.
    var bodyPauseTime = TimeAmount.seconds(10)
    /// How long a body is not read because memory is short.
    var memoryWaitTime = TimeAmount.seconds(1)
    var memoryLookTime = TimeAmount.milliseconds(50)
    /// Above it memory is short.
    var memoryShortPercent = 75
    /// How long a client that was answered before it had sent all may go on, so that it reads the
    /// answer before its connection ends.
    var lingerTime = TimeAmount.seconds(2)
    /// A body of a refused request up to this size is read, so that the connection can be kept.
    var discardedSizeBytesMax = 64 << 10
    var headerFieldSizeBytesMax = 8 << 10
    var headerCountMax = 100
    /// For the header of the PROXY protocol, where one has to come first.
    var proxyHeaderTime = TimeAmount.seconds(5)
    /// Bytes of an HTTP/1.1 connection that its decoder keeps without reading them.
    var unparsedSizeBytesMax = 64 << 10
    /// Requests of an HTTP/1.1 connection that are not answered yet, the one at hand included, and
    /// that begin in one turn of its event loop.
    var unansweredCountMax = 16
    /// Below this a piece of a body is small. Their rate is limited.
    var smallPieceSizeBytes = 64
    var smallPiecesPerSecond = 1_000
    var smallPiecesBurst = 2_000
}

/// Which lane an event loop is.
struct ExportLanes: Sendable {
    private let byLoop: [ObjectIdentifier: Int]

    init(_ group: any EventLoopGroup) {
        var byLoop: [ObjectIdentifier: Int] = [:]
        for loop in group.makeIterator() { byLoop[ObjectIdentifier(loop)] = byLoop.count }
        self.byLoop = byLoop
    }

    /// Lets every loop say that it turns.
    func keepTelling(_ receiver: any ExportReceiver, _ group: any EventLoopGroup) {
        for loop in group.makeIterator() {
            let lane = lane(of: loop)
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .seconds(1)) { _ in
                receiver.turned(lane: lane)
            }
        }
    }

    func lane(of loop: any EventLoop) -> Int {
        guard let lane = byLoop[ObjectIdentifier(loop)] else {
            preconditionFailure("a loop of another group")
        }
        return lane
    }
}

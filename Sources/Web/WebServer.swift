// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
package import TLS

/// Serves metrics, health and status over HTTP/1.1, on one thread of its own.
///
/// It shares nothing with the data path but the values that an observation reads. Thread: `start`
/// and `stop` any, once each.
package final class WebServer: APIServer, TLSServer {
    private let logger: Logger
    private let acceptor = Mutex<TLSAcceptor?>(nil)
    private let running = Mutex<Running?>(nil)

    private struct Running {
        let task: Task<Void, Never>
        let ended: Handover<Bool>
    }

    // Bounds of what a client can take.
    private static let connectionCountMax = 64
    private static let backlog = 64
    private static let idleSeconds: Int64 = 30
    private static let headerListSizeBytesMax = 16 << 10
    private static let headerFieldSizeBytesMax = 8 << 10
    private static let headerCountMax = 100
    private static let stopMs: UInt64 = 2_000

    package init(logger: Logger) { self.logger = logger }

    package func secure(with acceptor: TLSAcceptor) {
        self.acceptor.withLock { $0 = acceptor }
    }

    package func start(
        at address: APIAddress, observing daemon: any DaemonObserver
    ) throws(APIServerFailure) -> UInt16? {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let started = Handover<Result<UInt16?, APIServerFailure>>()
        let ended = Handover<Bool>()
        let application = makeApplication(at: address, observing: daemon, on: group) { channel in
            started.give(.success(channel.localAddress?.port.map { UInt16(clamping: $0) }))
        }
        let logger = self.logger
        let task = Task(executorPreference: LoopExecutor(group.any())) {
            do {
                try await application.run()
            } catch {
                started.give(.failure(APIServerFailure(error)))
                if !Task.isCancelled { logger.error("the API is no longer served: \(error)") }
            }
            ended.give(true)
        }
        let port = try started.take().get()
        running.withLock { $0 = Running(task: task, ended: ended) }
        return port
    }

    package func stop() {
        guard let running = running.withLock({ $0.take() }) else { return }
        running.task.cancel()
        _ = running.ended.take(deadlineNs: Clock.monotonicNs + WebServer.stopMs * 1_000_000)
    }

    private static var channel: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            idleTimeout: .seconds(idleSeconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headerFieldSizeBytesMax,
                maxHeaderListSize: headerListSizeBytesMax, maxHeaderFieldCount: headerCountMax))
    }

    private func makeApplication(
        at address: APIAddress, observing daemon: any DaemonObserver,
        on group: MultiThreadedEventLoopGroup,
        running: @escaping @Sendable (any Channel) -> Void
    ) -> some ApplicationProtocol {
        var logger = self.logger
        // What a client does wrong is its own affair; what ends the server is logged above.
        logger.logLevel = .critical
        let bind: BindAddress =
            switch address {
            case .tcp(let host, let port): .hostname(host, port: Int(port))
            case .unix(let path): .unixDomainSocket(path: path)
            }
        return Application(
            router: Routes.router(observing: daemon),
            server: HTTPServerBuilder { [acceptor = acceptor.withLock { $0 }] responder in
                SecureChannel(
                    HTTP1Channel(responder: responder, configuration: WebServer.channel),
                    acceptor: acceptor)
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

extension APIServerFailure {
    fileprivate init(_ error: any Error) {
        if let error = error as? IOError {
            self.init(code: error.errnoCode, "\(error)")
        } else {
            self.init("\(error)")
        }
    }
}

/// Runs Swift tasks on an event loop, so that serving takes one thread and no pool.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = unsafe asUnownedTaskExecutor()
        loop.execute { unsafe job.runSynchronously(on: executor) }
    }
}

/// Hands one value from one thread to another that waits for it. The first value given counts.
private final class Handover<Value: Sendable>: @unchecked Sendable {
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var value: Value?

    func give(_ value: Value) {
        monitor.withLock {
            if self.value == nil { self.value = value }
            monitor.broadcast()
        }
    }

    func take() -> Value {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            if let value { return value }
            monitor.wait()
        }
    }

    /// Nil when none was given until then.
    func take(deadlineNs: UInt64) -> Value? {
        monitor.lock()
        defer { monitor.unlock() }
        while value == nil, monitor.wait(deadlineNs: deadlineNs) {}
        return value
    }
}

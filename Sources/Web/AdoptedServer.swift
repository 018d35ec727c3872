// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOExtras
internal import NIOPosix

/// What Hummingbird's `Server` does, on a socket that somebody else bound and listens on:
/// Hummingbird binds addresses, and takes over nothing.
///
/// Ownership: the descriptor is the server's, and closed when it ends; the path of a unix socket
/// stays. Thread: any; `run` once.
final class AdoptedServer<ChildChannel: ServerChildChannel>: Sendable {
    private let descriptor: CInt
    private let channels: ChildChannel
    private let group: any EventLoopGroup
    private let logger: Logger
    private let quiescing: ServerQuiescingHelper

    init(
        _ descriptor: CInt, _ channels: ChildChannel, on group: any EventLoopGroup, logger: Logger
    ) {
        self.descriptor = descriptor
        self.channels = channels
        self.group = group
        self.logger = logger
        quiescing = ServerQuiescingHelper(group: group)
    }

    /// Serves until the task is cancelled, or until no connection is left after
    /// `shutdownGracefully`. `running` hears of the listening channel.
    func run(_ running: @Sendable (any Channel) -> Void) async throws {
        let (channels, logger, quiescing) = (self.channels, self.logger, self.quiescing)
        let server = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .bind(descriptor) { channel in channels.setup(channel: channel, logger: logger) }
        running(server.channel)
        await withDiscardingTaskGroup { group in
            do {
                try await server.executeThenClose { inbound in
                    for try await value in inbound {
                        group.addTask { await channels.handle(value: value, logger: logger) }
                    }
                }
            } catch {
                logger.error("no more connections are taken: \(error)")
            }
        }
    }

    /// Takes no new connections, tells those that there are to end, and waits for that.
    func shutdownGracefully() async throws {
        let promise = group.any().makePromise(of: Void.self)
        quiescing.initiateShutdown(promise: promise)
        try await promise.futureResult.get()
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Synchronization

/// A channel of Hummingbird's that notices at once when its client leaves.
struct WatchedChannel<BaseChannel: ServerChildChannel>: ServerChildChannel {
    typealias Value = BaseChannel.Value

    private let base: BaseChannel

    init(_ base: BaseChannel) { self.base = base }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(DepartureHandler())
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

/// Closes a connection whose client has closed its side: nobody waits for the answer, and what is
/// done for it in the database is given up.
final class DepartureHandler: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    let presence = Presence()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        presence.end()
        context.fireChannelInactive()
    }
}

/// Whether the client of a connection is there, and what is done for it now. Thread: any.
final class Presence: Sendable {
    private struct State {
        var isOver = false
        var whenOver: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// What is to be done when the client leaves, from now on; HTTP/1.1 has one request at a time.
    /// `forget` ends that.
    func watch(_ whenOver: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            state.whenOver = whenOver
            return state.isOver
        }
        if isOver { whenOver() }
    }

    func forget() { state.withLock { $0.whenOver = nil } }

    /// The client has left.
    func end() {
        let whenOver = state.withLock { state in
            state.isOver = true
            return state.whenOver
        }
        whenOver?()
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import TLS

/// A channel of Hummingbird's with TLS before it, where there is an acceptor.
struct SecureChannel<BaseChannel: ServerChildChannel>: ServerChildChannel {
    typealias Value = BaseChannel.Value

    private let base: BaseChannel
    private let acceptor: TLSAcceptor?

    init(_ base: BaseChannel, acceptor: TLSAcceptor?) {
        self.base = base
        self.acceptor = acceptor
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard let acceptor else { return base.setup(channel: channel, logger: logger) }
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(TLSHandler(acceptor))
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

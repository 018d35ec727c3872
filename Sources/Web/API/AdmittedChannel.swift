// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HummingbirdCore
internal import Logging
internal import NIOCore

/// A channel of Hummingbird's that a door lets in, or that is closed before it was read from.
struct AdmittedChannel<BaseChannel: ServerChildChannel>: ServerChildChannel {
    typealias Value = BaseChannel.Value

    private let base: BaseChannel
    private let door: any ConnectionDoor

    init(_ base: BaseChannel, by door: any ConnectionDoor) {
        self.base = base
        self.door = door
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let door = self.door
        let peer = PeerAddress(channel.remoteAddress)
        let isAdmitted = door.connectionOpened(from: peer)
        if isAdmitted {
            channel.closeFuture.whenComplete { _ in door.connectionClosed(from: peer) }
        }
        // Set up all the same: an error here would end the server and not the connection.
        return base.setup(channel: channel, logger: logger).map { value in
            if !isAdmitted { channel.close(promise: nil) }
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC
internal import HTTP2
internal import Ring
internal import Socket

/// One client connection: bytes from the socket through HTTP/2 and gRPC into the ring, answers
/// back.
///
/// Thread: its loop.
final class IngestConnection: ConnectionHandler, ExportSink {
    let id: UInt64
    let server: ServerConnection
    /// The socket; nil once it is closed.
    private(set) var connection: Connection?
    private unowned let loop: IngestLoop
    /// The source among whose connections this one is counted.
    private(set) var admittedSource: PeerAddress.Source?
    private let allowance = WorkAllowance()
    /// Of the calls whose outcome has not come, by stream.
    private var cancellations: [Int32: Cancellation] = [:]

    init(id: UInt64, server: ServerConnection, loop: IngestLoop) {
        self.id = id
        self.server = server
        self.loop = loop
        server.sink = self
        server.certificate = { [unowned self] in self.connection?.peerIdentity }
    }

    // MARK: ConnectionHandler

    func identified(_ connection: Connection) -> Bool {
        self.connection = connection
        guard loop.admits(connection.peer) else { return false }
        let peer = connection.peer
        if peer.kind == .ip { admittedSource = peer.source }
        server.peer = { peer.kind == .local ? "unix" : peer.description }
        return true
    }

    func received(_ bytes: ByteSlice, on connection: Connection) {
        do throws(Session.Failure) {
            try server.session.receive(bytes)
            pump(into: connection)
        } catch {
            // The GOAWAY that says why is still to be sent.
            pump(into: connection)
            end(connection, for: error)
        }
    }

    func produceOutput(for connection: Connection) {
        pump(into: connection)
        if let failure = server.session.failure {
            end(connection, for: failure)
        } else if !server.session.isAlive || server.isDrained && !server.session.hasOutput {
            if server.session.isRefused { loop.shared.counters.add(.connectionsAborted) }
            connection.finish()
        }
    }

    func tick(nowNs: UInt64, on connection: Connection) { server.tick(nowNs: nowNs) }

    func closed(_ connection: Connection) {
        self.connection = nil
        server.session.abandonStreams()
        loop.forget(self, failure: connection.failure)
    }

    private func pump(into connection: Connection) {
        do throws(Session.Failure) {
            while connection.wantsOutput, let bytes = try server.session.nextOutput() {
                connection.send(bytes)
            }
        } catch {
            end(connection, for: error)
        }
    }

    private func end(_ connection: Connection, for failure: Session.Failure) {
        guard connection.isOpen else { return }
        loop.shared.counters.add(failure.counter)
        connection.finish()
    }

    /// Says goodbye to those who watch the daemon's health, then to all.
    func beginDrain(nowNs: UInt64) {
        server.endWatches()
        // nghttp2 would let GOAWAY go first.
        if let connection, connection.isOpen { pump(into: connection) }
        server.beginDrain(nowNs: nowNs)
    }

    // MARK: ExportSink

    func received(
        _ message: consuming ExportMessage, streamID: Int32, from server: ServerConnection
    ) -> Outcome? {
        let address = AckAddress(connectionID: id, streamID: streamID)
        let outcome = loop.shared.admission.take(
            message, allowance: allowance, digest: &loop.digest,
            ticket: { loop.ledger.open(address) }, cancellation: { cancellation(for: streamID) })
        if outcome != nil { cancellations.removeValue(forKey: streamID) }
        return outcome
    }

    func abandoned(streamID: Int32) {
        cancellations.removeValue(forKey: streamID)?.cancel()
    }

    /// Passes an outcome on to its call.
    func answer(streamID: Int32, with outcome: Outcome) {
        cancellations.removeValue(forKey: streamID)
        server.answer(streamID: streamID, with: outcome)
    }

    private func cancellation(for streamID: Int32) -> Cancellation {
        let cancellation = Cancellation()
        cancellations[streamID] = cancellation
        return cancellation
    }
}

extension Session.Failure {
    fileprivate var counter: Counter {
        switch self {
        case .library: .connectionsAborted
        case .abuse(let abuse): abuse.counter
        }
    }
}

extension Abuse {
    fileprivate var counter: Counter {
        switch self {
        case .pings: .abortedForPings
        case .settings: .abortedForSettings
        case .controlFrames: .abortedForControlFrames
        case .resets: .abortedForResets
        case .invalidFrames: .abortedForInvalidFrames
        case .headerLists: .abortedForHeaderLists
        case .emptyData: .abortedForEmptyData
        case .unreadFrames: .abortedForUnreadFrames
        case .slowHandshake: .abortedForSlowHandshake
        case .slowHeaders: .abortedForSlowHeaders
        case .keepalive: .abortedForKeepalive
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// The protocol spoken on a connection, as the socket station sees it.
///
/// All calls come from the connection's loop.
package protocol ConnectionHandler: AnyObject {
    /// Who is at the other end is known: `connection.peer`. Called once, first; false turns it
    /// away.
    func identified(_ connection: Connection) -> Bool
    /// Bytes from the peer, valid during the call.
    func received(_ bytes: ByteSlice, on connection: Connection)
    /// The turn is over: append what is to be sent, while `connection.wantsOutput`.
    func produceOutput(for connection: Connection)
    /// Called about ten times a second with the monotonic time.
    func tick(nowNs: UInt64, on connection: Connection)
    /// The connection is gone. Called once, last; `connection.failure` says whether we ended it.
    func closed(_ connection: Connection)
}

/// Why the socket station ended a connection.
package enum ConnectionFailure: Equatable {
    /// The peer took nothing of what was to be sent for `writeStallNsMax`.
    case writeStalled
    /// A PROXY header was due, and something else came, or nothing.
    case proxyHeader(ProxyHeaderFault)
}

/// One accepted connection: socket, output and protocol handler.
///
/// Ownership: its loop. Thread: confined to the loop.
package final class Connection {
    let descriptor: FileDescriptor
    let slot: Int
    private var output = OutputQueue()
    private(set) var handler: (any ConnectionHandler)?
    private(set) var state = State.open
    /// Nil where bytes go as they are.
    private let transport: SecureTransport?
    /// The client: who is connected, or, behind a proxy that says so, for whom.
    package private(set) var peer: PeerAddress
    /// Set before `closed`.
    package private(set) var failure: ConnectionFailure?
    /// While a PROXY header is due: nothing else is read, and nothing is sent.
    private var proxyHeader: ProxyHeaderReader?
    private let acceptedNs = Clock.monotonicNs
    private var stalledSinceNs: UInt64 = 0

    /// What epoll was last told.
    var isArmedForWriting = false
    var isDirty = false
    var lingerDeadlineNs: UInt64 = 0

    enum State {
        case open
        /// No more input is wanted; close once the output is out.
        case finishing
        /// Everything is sent and our side shut; input is discarded until the peer closes, because
        /// closing with unread input would reset the connection under the last answer.
        case lingering
        case closed
    }

    /// Output that may wait here before the handler is asked for no more.
    package static let outputHighWaterBytes = 256 << 10
    private static let lingerNs: UInt64 = 1_000_000_000
    /// Time in which a PROXY header must have come.
    package static let proxyHeaderNsMax: UInt64 = 5_000_000_000
    /// Time for which a peer may take nothing of what it is sent.
    package static let writeStallNsMax: UInt64 = 30_000_000_000

    init(
        _ descriptor: consuming FileDescriptor, from peer: PeerAddress, slot: Int,
        expectsProxyHeader: Bool = false, transport: SecureTransport? = nil
    ) {
        self.descriptor = descriptor
        self.slot = slot
        self.peer = peer
        self.transport = transport
        proxyHeader = expectsProxyHeader ? ProxyHeaderReader() : nil
    }

    func attach(_ handler: any ConnectionHandler) {
        self.handler = handler
        if proxyHeader == nil { identify() }
    }

    private func identify() {
        if !(handler?.identified(self) ?? false) { state = .closed }
    }

    /// True while more output is welcome: the peer keeps up.
    package var wantsOutput: Bool { output.count < Connection.outputHighWaterBytes }

    package var isOpen: Bool { state == .open }

    /// Whether handler and peer can exchange bytes: once the PROXY header that is due is here, and
    /// the TLS handshake done, if there is one.
    package var isEstablished: Bool { proxyHeader == nil && transport?.isOpen ?? true }

    /// Who the peer has proved to be by a certificate; nil where it has shown none.
    package var peerIdentity: PeerIdentity? { transport?.peerIdentity }

    /// Queues a copy of `bytes`; they go out at the end of the turn.
    package func send(_ bytes: ByteSlice) {
        guard state == .open || state == .finishing else { return }
        output.append(bytes)
    }

    /// Closes once everything queued is sent.
    package func finish() {
        if state == .open { state = .finishing }
    }

    /// Closes at the end of the turn, whatever is queued.
    package func abort() { state = .closed }

    /// The peer is gone.
    func hungUp() {
        transport?.hungUp()
        state = .closed
    }

    func received(_ bytes: ByteSlice) {
        let rest = proxyHeader == nil ? bytes : takeProxyHeader(bytes)
        guard state == .open, !rest.isEmpty else { return }
        guard let transport else {
            handler?.received(rest, on: self)
            return
        }
        let goesOn = transport.receive(rest) { plaintext in
            if state == .open { handler?.received(plaintext, on: self) }
        }
        if !goesOn { finish() }
    }

    /// What is left of `bytes` behind the PROXY header.
    private func takeProxyHeader(_ bytes: ByteSlice) -> ByteSlice {
        do throws(ProxyHeaderFault) {
            guard case .complete(let source, let takenCount)? = try proxyHeader?.append(bytes)
            else { return .empty }
            proxyHeader = nil
            if let source { peer = source }
            identify()
            return bytes.slice(offset: takenCount, count: bytes.count - takenCount)
        } catch {
            fail(.proxyHeader(error))
            return .empty
        }
    }

    private func fail(_ failure: ConnectionFailure) {
        self.failure = failure
        state = .closed
    }

    func tick(nowNs: UInt64) {
        if state == .lingering, nowNs >= lingerDeadlineNs { state = .closed }
        if let transport, state != .closed, transport.isLate(nowNs: nowNs) { state = .closed }
        if proxyHeader != nil, nowNs > acceptedNs + Connection.proxyHeaderNsMax {
            fail(.proxyHeader(.timedOut))
        }
        if stalledSinceNs > 0, nowNs > stalledSinceNs + Connection.writeStallNsMax {
            fail(.writeStalled)
        }
        if state == .open, isEstablished { handler?.tick(nowNs: nowNs, on: self) }
    }

    /// Lets the handler produce and the socket take, in turns, until one of them has enough.
    /// Returns true when the socket would block, so the loop must wait for it.
    func flush() -> Bool {
        guard proxyHeader == nil else { return false }
        while state == .open || state == .finishing {
            if state == .open, isEstablished { handler?.produceOutput(for: self) }
            if state == .finishing { sayGoodbye() }
            guard hasOutput else { break }
            let waitingCount = waitingOutputCount
            switch sendOutput() {
            case .bytes: continue
            case .wouldBlock:
                if stalledSinceNs == 0 || waitingOutputCount < waitingCount {
                    stalledSinceNs = Clock.monotonicNs
                }
                return true
            case .ended, .failed: hungUp()
            }
        }
        stalledSinceNs = 0
        if state == .finishing { startLingering() }
        return false
    }

    /// What has not gone out, encrypted or not yet.
    private var waitingOutputCount: Int { output.count + (transport?.outputCount ?? 0) }

    /// Whether there is something that could be sent now.
    private var hasOutput: Bool {
        guard let transport else { return output.count > 0 }
        return transport.outputCount > 0 || transport.takesPlaintext && output.count > 0
    }

    /// TLS ends with a word of its own, behind everything that is still to be sent.
    private func sayGoodbye() {
        guard let transport, output.count == 0 || !transport.takesPlaintext else { return }
        transport.sayGoodbye()
    }

    private func sendOutput() -> FileDescriptor.Transfer {
        guard let transport else { return output.flush(to: descriptor) }
        return transport.flush(&output, to: descriptor)
    }

    private func startLingering() {
        state = .lingering
        lingerDeadlineNs = Clock.monotonicNs + Connection.lingerNs
        _ = shutdown(descriptor.raw, Int32(SHUT_WR))
    }

    func closeNow() {
        state = .closed
        handler?.closed(self)
        handler = nil
    }
}

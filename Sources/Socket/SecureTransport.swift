// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import TLS

/// TLS between a descriptor and a connection's handler.
///
/// What waits as ciphertext is one record and what the protocol itself has to say; plaintext waits
/// in the connection's own queue, where the handler sees it. Thread: the connection's loop.
final class SecureTransport {
    private let session: TLSSession
    private let acceptor: TLSAcceptor
    private let scratch: ReadBuffer
    private let handshakeDeadlineNs: UInt64
    private var isHandshakeCounted = false

    init(_ acceptor: TLSAcceptor, scratch: ReadBuffer, nowNs: UInt64) {
        self.acceptor = acceptor
        self.scratch = scratch
        session = acceptor.makeSession()
        handshakeDeadlineNs = nowNs + acceptor.handshakeTimeoutNs
    }

    /// Whether plaintext can be exchanged.
    var isOpen: Bool { session.state == .open }

    /// Whether plaintext can be sent: not behind our goodbye.
    var takesPlaintext: Bool { session.state == .open && !session.hasSaidGoodbye }

    var peerIdentity: PeerIdentity? { session.peerIdentity }

    /// Bytes of ciphertext that wait.
    var outputCount: Int { session.outputCount }

    /// Says that nothing more will be sent.
    func sayGoodbye() { session.sayGoodbye() }

    /// Takes ciphertext; `deliver` gets what it says. False when the connection is to end, with an
    /// alert that may have to be sent first.
    func receive(_ ciphertext: ByteSlice, deliver: (ByteSlice) -> Void) -> Bool {
        do throws(TLSFailure) {
            try unsafe session.receive(ciphertext, scratch: scratch.bytes) { plaintext in
                noteSuccess()
                deliver(plaintext)
            }
            if session.state != .handshaking { noteSuccess() }
            return session.state != .ended
        } catch {
            note(error)
            return false
        }
    }

    /// True when the handshake has taken too long.
    func isLate(nowNs: UInt64) -> Bool {
        guard session.state == .handshaking, nowNs >= handshakeDeadlineNs else { return false }
        note(.timeout)
        return true
    }

    /// The peer is gone. A handshake that we broke off, because there are too many connections
    /// or the daemon ends, has not failed.
    func hungUp() {
        if session.state == .handshaking { note(.hangUp) }
    }

    /// Sends what the descriptor takes, record by record; the last transfer tells why it stopped.
    func flush(
        _ plaintext: inout OutputQueue, to descriptor: borrowing FileDescriptor
    ) -> FileDescriptor.Transfer {
        while true {
            while session.outputCount > 0 {
                let sent = sendOutput(to: descriptor)
                guard case .bytes = sent else { return sent }
            }
            guard plaintext.count > 0, takesPlaintext else { return .bytes(0) }
            plaintext.consume { bytes in (try? session.write(bytes)) ?? 0 }
            if session.state == .failed { return .ended }
        }
    }

    private func sendOutput(to descriptor: borrowing FileDescriptor) -> FileDescriptor.Transfer {
        var sent = FileDescriptor.Transfer.bytes(0)
        session.sendOutput { ciphertext in
            sent = descriptor.send(ciphertext)
            guard case .bytes(let count) = sent else { return 0 }
            return count
        }
        return sent
    }

    private func noteSuccess() {
        guard !isHandshakeCounted else { return }
        isHandshakeCounted = true
        acceptor.succeeded()
    }

    private func note(_ failure: TLSFailure) {
        guard !isHandshakeCounted else { return }
        isHandshakeCounted = true
        acceptor.failed(failure)
    }
}

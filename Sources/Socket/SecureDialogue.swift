// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import TLS

/// TLS of a connection that we opened, on a descriptor that blocks.
///
/// Thread: one.
final class SecureDialogue {
    private let session: TLSSession
    private let ciphertext = ReadBuffer()
    private let record = ReadBuffer()
    /// Plaintext that came with the end of the handshake.
    private var early: [UInt8] = []

    /// Of what is read at once so much is left, that two records fit into a caller's buffer.
    private static let readSizeBytesMax = 16 << 10
    static let receivedSizeBytesMax = readSizeBytesMax + TLSSession.recordSizeBytesMax

    init(_ context: TLSClientContext) throws(SystemError) {
        do throws(TLSFailure) {
            session = try TLSSession(client: context)
        } catch {
            throw SystemError(error)
        }
    }

    /// Waits for the end of the handshake, up to `timeoutMs` for each of the peer's steps.
    ///
    /// With TLS 1.3 the peer may still refuse our certificate: that is heard with the next input.
    func shakeHands(on descriptor: borrowing FileDescriptor, timeoutMs: Int) throws(SystemError) {
        while session.state == .handshaking {
            try flush(to: descriptor)
            guard descriptor.waitForInput(timeoutMs: timeoutMs) else {
                throw SystemError(TLSFailure.timeout)
            }
            let isOpen = try take(from: descriptor) { unsafe early += Array($0.buffer) }
            guard isOpen else { throw SystemError("TLS handshake", code: ECONNRESET) }
        }
        try flush(to: descriptor)
    }

    func sendAll(
        _ bytes: ByteSlice, to descriptor: borrowing FileDescriptor
    ) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            do throws(TLSFailure) {
                let count = try session.write(rest)
                rest = rest.slice(offset: count, count: rest.count - count)
            } catch {
                throw SystemError(error)
            }
            guard session.outputCount > 0 else { throw SystemError("send", code: EPIPE) }
            try flush(to: descriptor)
        }
    }

    /// As `DialedSocket.receive`; `buffer` has `receivedSizeBytesMax` bytes at least.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, from descriptor: borrowing FileDescriptor,
        timeoutMs: Int
    ) throws(SystemError) -> Int? {
        precondition(buffer.count >= SecureDialogue.receivedSizeBytesMax)
        if !early.isEmpty {
            unsafe buffer.copyBytes(from: early)
            defer { early = [] }
            return early.count
        }
        guard session.state != .ended else { return 0 }
        guard descriptor.waitForInput(timeoutMs: timeoutMs) else { return nil }
        var count = 0
        let isOpen = try take(from: descriptor) { plaintext in
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
            unsafe target.copyMemory(from: plaintext.buffer)
            count += plaintext.count
        }
        try flush(to: descriptor)
        if count > 0 { return count }
        return isOpen && session.state != .ended ? nil : 0
    }

    /// Reads once; false when the peer has closed.
    private func take(
        from descriptor: borrowing FileDescriptor, deliver: (ByteSlice) -> Void
    ) throws(SystemError) -> Bool {
        let target = unsafe UnsafeMutableRawBufferPointer(
            rebasing: ciphertext.bytes[..<SecureDialogue.readSizeBytesMax])
        switch unsafe descriptor.read(into: target) {
        case .wouldBlock: return true
        case .ended: return false
        case .failed(let errno): throw SystemError("receive", code: errno)
        case .bytes(let count):
            do throws(TLSFailure) {
                try unsafe session.receive(
                    ciphertext.prefix(count), scratch: record.bytes, deliver: deliver)
                return true
            } catch {
                // What the peer is told may help who looks there.
                try? flush(to: descriptor)
                throw SystemError(error)
            }
        }
    }

    private func flush(to descriptor: borrowing FileDescriptor) throws(SystemError) {
        var failure: SystemError?
        while session.outputCount > 0, failure == nil {
            session.sendOutput { bytes in
                switch descriptor.send(bytes) {
                case .bytes(let count): return count
                case .wouldBlock: preconditionFailure("the socket blocks")
                case .ended: failure = SystemError("send", code: EPIPE)
                case .failed(let errno): failure = SystemError("send", code: errno)
                }
                return 0
            }
        }
        if let failure { throw failure }
    }
}

extension SystemError {
    fileprivate init(_ failure: TLSFailure) {
        switch failure.reason {
        case .version, .cipher, .applicationProtocol, .certificateMissing, .certificate, .peer:
            self.init(SystemError.securityCall, failure.description, code: EPROTO)
        case .notTLS, .timeout, .other:
            self.init("TLS handshake", failure.description, code: EPROTO)
        }
    }

    private static let securityCall = "TLS"

    /// Whether the other side could not be trusted, or does not trust us: trying again is of no
    /// use.
    package var isSecurityFailure: Bool { call == SystemError.securityCall }
}

extension FileDescriptor {
    /// Whether there is something to read within `timeoutMs`, be it the end.
    func waitForInput(timeoutMs: Int) -> Bool {
        var poll = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        return unsafe CLinux.poll(&poll, 1, Int32(clamping: timeoutMs)) != 0
    }
}

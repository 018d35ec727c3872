// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux
package import TLS

/// A connection that we open, used by one thread that may wait for it.
///
/// Ownership: closes on destruction. Thread: moved, never shared.
package struct DialedSocket: ~Copyable {
    private let descriptor: FileDescriptor
    /// Nil where bytes go as they are.
    private let security: SecureDialogue?

    private static let handshakeMs = 10_000

    /// Connects, waiting as long as the kernel does, and secures the connection where there is a
    /// `context`.
    package init(
        to endpoint: Endpoint, context: TLSClientContext? = nil
    ) throws(SystemError) {
        let descriptor = try DialedSocket.connected(to: endpoint)
        var security: SecureDialogue?
        if let context {
            let dialogue = try SecureDialogue(context)
            try dialogue.shakeHands(on: descriptor, timeoutMs: DialedSocket.handshakeMs)
            security = dialogue
        }
        self.security = security
        self.descriptor = descriptor
    }

    private static func connected(to endpoint: Endpoint) throws(SystemError) -> FileDescriptor {
        try unsafe endpoint.withAddress { family, address, size throws(SystemError) in
            let raw = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard raw >= 0 else { throw SystemError("socket", endpoint.description) }
            let descriptor = FileDescriptor(owning: raw)
            guard unsafe connect(raw, address, size) == 0 else {
                throw SystemError("connect", endpoint.description)
            }
            descriptor.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            return descriptor
        }
    }

    /// Sends all of `bytes`.
    package func sendAll(_ bytes: ByteSlice) throws(SystemError) {
        if let security { return try security.sendAll(bytes, to: descriptor) }
        var rest = bytes
        while !rest.isEmpty {
            switch descriptor.send(rest) {
            case .bytes(let count): rest = rest.slice(offset: count, count: rest.count - count)
            case .wouldBlock: preconditionFailure("the socket blocks")
            case .ended: throw SystemError("send", code: EPIPE)
            case .failed(let errno): throw SystemError("send", code: errno)
            }
        }
    }

    /// Waits up to `timeoutMs` for input; nil when none came, an empty count when the peer has
    /// closed. `buffer` is that of a `ReadBuffer`.
    package func receive(
        into buffer: UnsafeMutableRawBufferPointer, timeoutMs: Int
    ) throws(SystemError) -> Int? {
        if let security {
            return try unsafe security.receive(
                into: buffer, from: descriptor, timeoutMs: timeoutMs)
        }
        guard descriptor.waitForInput(timeoutMs: timeoutMs) else { return nil }
        switch unsafe descriptor.read(into: buffer) {
        case .bytes(let count): return count
        case .wouldBlock: return nil
        case .ended: return 0
        case .failed(let errno): throw SystemError("receive", code: errno)
        }
    }
}

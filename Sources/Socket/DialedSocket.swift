// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// A connection that we open, used by one thread that may wait for it.
///
/// Ownership: closes on destruction. Thread: moved, never shared.
package struct DialedSocket: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Connects, waiting as long as the kernel does.
    package init(to endpoint: Endpoint) throws(SystemError) {
        descriptor = try unsafe endpoint.withAddress { family, address, size throws(SystemError) in
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
    /// closed.
    package func receive(
        into buffer: UnsafeMutableRawBufferPointer, timeoutMs: Int
    ) throws(SystemError) -> Int? {
        var poll = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        let ready = unsafe CLinux.poll(&poll, 1, Int32(clamping: timeoutMs))
        guard ready != 0 else { return nil }
        switch unsafe descriptor.read(into: buffer) {
        case .bytes(let count): return count
        case .wouldBlock: return nil
        case .ended: return 0
        case .failed(let errno): throw SystemError("receive", code: errno)
        }
    }
}

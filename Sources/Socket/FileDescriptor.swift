// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// Sole owner of an open file descriptor; closes it when it goes.
///
/// Thread: moved, never shared. EINTR is retried; EAGAIN is a value; EBADF and EFAULT can only be
/// our own mistakes and trap.
package struct FileDescriptor: ~Copyable, Sendable {
    package let raw: Int32

    package init(owning raw: Int32) {
        precondition(raw >= 0)
        self.raw = raw
    }

    deinit { _ = CLinux.close(raw) }

    /// What a transfer on a non-blocking descriptor came to.
    package enum Transfer: Equatable {
        case bytes(Int)
        case wouldBlock
        case ended
        case failed(errno: Int32)
    }

    /// Reads into `buffer`, at most its size.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
        while true {
            let count = unsafe CLinux.read(raw, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            guard linux_errno() == EINTR else { return FileDescriptor.failure(linux_errno()) }
        }
    }

    /// Sends as much of `bytes` as the socket takes now.
    package func send(_ bytes: ByteSlice) -> Transfer {
        while true {
            let count = unsafe CLinux.send(raw, bytes.base, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { return .bytes(count) }
            guard linux_errno() == EINTR else { return FileDescriptor.failure(linux_errno()) }
        }
    }

    private static func failure(_ code: Int32) -> Transfer {
        precondition(code != EBADF && code != EFAULT, "a descriptor or buffer of ours is wrong")
        return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .failed(errno: code)
    }
}

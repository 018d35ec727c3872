// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Bytes that wait for a socket to take them.
///
/// Thread: one loop. Cost: one copy in; space is reused when all has gone out.
struct OutputQueue {
    private var bytes: [UInt8] = []
    private var sentCount = 0

    /// Storage above this is given back once the queue is empty.
    private static let keptCapacityBytes = 16 << 10

    var count: Int { bytes.count - sentCount }

    mutating func append(_ slice: ByteSlice) {
        unsafe bytes.append(contentsOf: slice.buffer)
    }

    /// Sends what the descriptor takes; the last transfer tells why it stopped.
    mutating func flush(to descriptor: borrowing FileDescriptor) -> FileDescriptor.Transfer {
        while sentCount < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe descriptor.send(
                    ByteSlice(UnsafeRawBufferPointer(rebasing: buffer[sentCount...])))
            }
            guard case .bytes(let count) = sent else { return sent }
            sentCount += count
        }
        reset()
        return .bytes(0)
    }

    /// Shows what waits; `body` returns how much of it has gone.
    mutating func consume(_ body: (ByteSlice) -> Int) {
        guard count > 0 else { return }
        sentCount += unsafe bytes.withUnsafeBytes { buffer in
            unsafe body(ByteSlice(UnsafeRawBufferPointer(rebasing: buffer[sentCount...])))
        }
        if sentCount == bytes.count { reset() }
    }

    private mutating func reset() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= OutputQueue.keptCapacityBytes)
        sentCount = 0
    }
}

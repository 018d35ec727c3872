// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CZlib

/// Unpacks gzip messages under a hard limit.
package enum Inflater {
    package enum Fault: Error, Equatable {
        /// Not gzip, damaged, or cut short.
        case corrupt
        /// More than the limit would come out; nothing beyond it was produced.
        case tooLarge
        /// The memory budget has no room for what comes out.
        case overBudget
    }

    /// The unpacked form of `message`.
    ///
    /// Several gzip members in a row are one message (RFC 1952 §2.2); anything else after the last
    /// is damage. Memory: grows with the output, never past `limitBytes`, charged to `budget`.
    /// Cost: about 3 ns per byte of output.
    package static func inflate(
        _ message: ByteSlice, limitBytes: Int, budget: MemoryBudget
    ) throws(Fault) -> OwnedBytes {
        var producedBytes = 0
        return try inflate(
            message, limitBytes: limitBytes, budget: budget, producedBytes: &producedBytes)
    }

    /// How long `message` says that it is unpacked (ISIZE of its last member, RFC 1952 §2.3.1).
    ///
    /// Whoever wrote it may say anything, and it may have other members: good for a guess only.
    package static func announcedSizeBytes(of message: ByteSlice) -> Int {
        guard message.count >= 4 else { return 0 }
        return (1...4).reduce(0) { $0 << 8 | Int(message[message.count - $1]) }
    }

    /// As without `producedBytes`, to which the bytes that came out are added, also those that an
    /// error makes useless.
    package static func inflate(
        _ message: ByteSlice, limitBytes: Int, budget: MemoryBudget, producedBytes: inout Int
    ) throws(Fault) -> OwnedBytes {
        var output = OwnedBytes(budget: budget)
        var stream = unsafe z_stream()
        // 16 + 15: gzip framing, largest window.
        precondition(unsafe starling_inflate_init2(&stream, 16 + 15) == Z_OK, "out of memory")
        defer { unsafe inflateEnd(&stream) }
        unsafe stream.next_in = UnsafeMutablePointer(
            mutating: message.base?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.avail_in = UInt32(message.count)
        while true {
            try makeRoom(in: &output, inputBytes: message.count, limitBytes: limitBytes)
            let countBefore = output.count
            let result = unsafe step(&stream, into: &output)
            producedBytes += output.count - countBefore
            guard output.count <= limitBytes else { throw .tooLarge }
            switch result {
            case Z_STREAM_END:
                guard unsafe stream.avail_in > 0 else { return output }
                guard unsafe inflateReset(&stream) == Z_OK else { throw .corrupt }
            case Z_OK, Z_BUF_ERROR:
                // Room was left, so it was input that ran out: the message is cut short.
                if output.count < output.capacityBytes { throw .corrupt }
            default:
                throw .corrupt
            }
        }
    }

    /// One byte more than the limit may be allocated, to see that the limit is passed.
    private static func makeRoom(
        in output: inout OwnedBytes, inputBytes: Int, limitBytes: Int
    ) throws(Fault) {
        guard output.count == output.capacityBytes else { return }
        let wanted = max(4_096, inputBytes * 4, output.capacityBytes * 2)
        guard output.reserve(capacityBytes: min(limitBytes + 1, wanted)) else { throw .overBudget }
    }

    private static func step(_ stream: inout z_stream, into output: inout OwnedBytes) -> Int32 {
        var result: Int32 = Z_OK
        unsafe output.appendUninitialized { free in
            unsafe stream.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe stream.avail_out = UInt32(clamping: free.count)
            let offered = unsafe Int(stream.avail_out)
            result = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
            return unsafe offered - Int(stream.avail_out)
        }
        return result
    }
}

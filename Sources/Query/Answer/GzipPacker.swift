// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CZlib

/// Packs a text piece by piece into one gzip member (RFC 1952).
///
/// Memory: what zlib takes, about 260 KiB. Thread: one.
@safe
package final class GzipPacker {
    /// How much work a byte less is worth.
    package enum Effort: Int32 {
        /// For what is waited for.
        case fast = 1
        /// For what is kept.
        case thorough = 6
    }

    /// What the reader of what was packed so far can see.
    package enum Flush {
        /// What zlib sees fit: the least bytes.
        case none
        /// All of it.
        case all
        /// All of it, and that nothing comes behind.
        case end

        fileprivate var code: Int32 {
            switch self {
            case .none: Z_NO_FLUSH
            case .all: Z_SYNC_FLUSH
            case .end: Z_FINISH
            }
        }
    }

    // Of its own in memory: zlib remembers where it is.
    private let stream: UnsafeMutablePointer<z_stream>

    /// 15 bits of window, and 16 for the gzip form (zlib.h, deflateInit2).
    private static let windowBits: Int32 = 15 + 16
    private static let roomSizeBytes = 16 << 10

    /// Nil where zlib has no memory.
    package init?(_ effort: Effort) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let result = unsafe starling_deflate_init2(
            stream, effort.rawValue, GzipPacker.windowBits)
        guard result == Z_OK else { return nil }
    }

    deinit {
        // Nothing, where there was no memory for it.
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Appends to `output` what is made of `text`. Nothing may come behind `end`.
    package func pack(_ text: ByteSlice, _ flush: Flush, to output: inout [UInt8]) {
        var rest = text
        repeat {
            let part = rest.slice(offset: 0, count: min(rest.count, Int(UInt32.max)))
            rest = rest.slice(offset: part.count, count: rest.count - part.count)
            packPart(part, rest.isEmpty ? flush : .none, to: &output)
        } while !rest.isEmpty
    }

    private func packPart(_ part: ByteSlice, _ flush: Flush, to output: inout [UInt8]) {
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: part.base?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(part.count)
        var hasRoomLeft = false
        while !hasRoomLeft {
            let held = output.count
            output.append(contentsOf: repeatElement(0, count: GzipPacker.roomSizeBytes))
            let leftCount = unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.pointee.next_out = output.baseAddress.map { unsafe $0 + held }
                unsafe stream.pointee.avail_out = UInt32(GzipPacker.roomSizeBytes)
                let result = unsafe deflate(stream, flush.code)
                precondition(
                    result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR,
                    "the stream of zlib is damaged")
                return unsafe Int(stream.pointee.avail_out)
            }
            output.removeLast(leftCount)
            hasRoomLeft = leftCount > 0
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CZlib

/// Unpacks gzip piece by piece (RFC 1952): for files, of which nobody knows how large they are.
///
/// Several members in a row are one text; anything else behind the last is damage. Memory: what
/// zlib takes, about 40 KiB. Thread: one.
@safe
package struct GzipUnpacker: ~Copyable {
    /// What it is given is not gzip, or damaged.
    package struct Damage: Error {
        /// Bytes of the input before the place where that was seen.
        package let takenCount: Int
    }

    /// What one step came to.
    package struct Step {
        /// Bytes of the input that are done with.
        package let takenCount: Int
        /// Bytes that were written.
        package let madeCount: Int
    }

    // Of its own in memory: zlib remembers where it is.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Whether the input may end here: a member has ended, and no other begun.
    package private(set) var isComplete = false

    package init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 16 + 15: gzip framing, largest window.
        precondition(unsafe starling_inflate_init2(stream, 16 + 15) == Z_OK, "out of memory")
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Unpacks as much of `input` as `output` has room for. Neither may be empty. Where all is
    /// taken, more input is needed: a checksum comes behind all of a member that can be made.
    package mutating func unpack(
        _ input: ByteSlice, into output: UnsafeMutableRawBufferPointer
    ) throws(Damage) -> Step {
        precondition(unsafe !input.isEmpty && !output.isEmpty, "nothing comes of nothing")
        if isComplete {
            precondition(unsafe inflateReset(stream) == Z_OK, "the stream of zlib is damaged")
            isComplete = false
        }
        let (offered, room) = (UInt32(clamping: input.count), UInt32(clamping: output.count))
        unsafe stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.base?.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = offered
        unsafe stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = room
        let result = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        let takenCount = unsafe Int(offered - stream.pointee.avail_in)
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            throw Damage(takenCount: takenCount)
        }
        isComplete = result == Z_STREAM_END
        return unsafe Step(
            takenCount: takenCount, madeCount: Int(room - stream.pointee.avail_out))
    }
}

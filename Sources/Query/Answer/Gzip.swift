// SPDX-License-Identifier: Apache-2.0
internal import CZlib

/// Packs answers (RFC 1952).
enum Gzip {
    /// Fast rather than small: the answer is waited for.
    private static let level: Int32 = 1
    /// 15 bits of window, and 16 for the gzip form (zlib.h, deflateInit2).
    private static let windowBits: Int32 = 15 + 16

    /// Nil where zlib has no memory, or where `plain` is too long for one call.
    static func packed(_ plain: [UInt8]) -> [UInt8]? {
        guard let size = UInt32(exactly: plain.count) else { return nil }
        var stream = unsafe z_stream()
        guard unsafe starling_deflate_init2(&stream, level, windowBits) == Z_OK else { return nil }
        defer { unsafe deflateEnd(&stream) }
        let capacity = Int(unsafe deflateBound(&stream, UInt(size)))
        var input = plain
        var isComplete = false
        let output = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            unsafe input.withUnsafeMutableBufferPointer { input in
                unsafe stream.next_in = input.baseAddress
                unsafe stream.avail_in = size
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: capacity)
                isComplete = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END
                count = unsafe Int(stream.total_out)
            }
        }
        return isComplete ? output : nil
    }
}

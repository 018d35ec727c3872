// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CNghttp2

/// Finds the frames in what a client sends, and looks at nothing but their nine bytes of header
/// (RFC 9113 §4.1).
///
/// nghttp2 tells of frames that it has a use for, so those of unknown kinds and those on streams
/// that are gone would not be counted, however many there are. Cost: a few nanoseconds per frame.
struct FrameWalk {
    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8
        var sizeBytes: Int
    }

    private var header: (bytes: UInt64, count: Int) = (0, 0)
    private var typeAndFlags: (type: UInt8, flags: UInt8) = (0, 0)
    /// Bytes to skip: of the preface, or of a payload.
    private var skippedSizeBytes: Int

    /// Which header block is being received, counted from 1; 0 for none. One begins with the header
    /// of its HEADERS frame, and ends with the last byte of the frame that says so.
    var headerBlock: UInt64 { isInHeaderBlock ? headerBlockCount : 0 }
    private var headerBlockCount: UInt64 = 0
    private var isInHeaderBlock = false
    private var endsHeaderBlock = false

    private static let prefaceSizeBytes = 24
    private static let headerSizeBytes = 9

    /// `hasPreface` for what a client sends.
    init(hasPreface: Bool) { skippedSizeBytes = hasPreface ? FrameWalk.prefaceSizeBytes : 0 }

    /// Calls `body` for each frame whose header ends in `bytes`, until it returns false.
    mutating func walk(_ bytes: ByteSlice, _ body: (Frame) -> Bool) {
        var offset = 0
        while offset < bytes.count {
            let skipped = min(skippedSizeBytes, bytes.count - offset)
            skippedSizeBytes -= skipped
            offset += skipped
            if skippedSizeBytes == 0, endsHeaderBlock { isInHeaderBlock = false }
            while header.count < FrameWalk.headerSizeBytes, offset < bytes.count {
                take(bytes[offset])
                offset += 1
            }
            guard header.count == FrameWalk.headerSizeBytes else { return }
            let sizeBytes = Int(header.bytes)
            header = (0, 0)
            skippedSizeBytes = sizeBytes
            noteHeaderBlock(typeAndFlags.type, flags: typeAndFlags.flags)
            let frame = Frame(
                type: typeAndFlags.type, flags: typeAndFlags.flags, sizeBytes: sizeBytes)
            guard body(frame) else { return }
        }
    }

    private mutating func noteHeaderBlock(_ type: UInt8, flags: UInt8) {
        let isContinued = UInt32(type) == NGHTTP2_CONTINUATION.rawValue
        guard isContinued || UInt32(type) == NGHTTP2_HEADERS.rawValue else { return }
        if !isContinued { headerBlockCount += 1 }
        endsHeaderBlock = flags & UInt8(NGHTTP2_FLAG_END_HEADERS.rawValue) != 0
        // Nothing may follow that would end it.
        isInHeaderBlock = !(endsHeaderBlock && skippedSizeBytes == 0)
    }

    /// Length (3 bytes), type, flags; the stream's number (4 bytes) is of no interest.
    private mutating func take(_ byte: UInt8) {
        switch header.count {
        case 0...2: header.bytes = header.bytes << 8 | UInt64(byte)
        case 3: typeAndFlags.type = byte
        case 4: typeAndFlags.flags = byte
        default: break
        }
        header.count += 1
    }
}

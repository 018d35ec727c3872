// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import HTTP2

// Goal: every frame is found once, however the bytes are split.

@Suite struct FrameWalkTests {
    private static func frame(_ type: UInt8, _ flags: UInt8, _ sizeBytes: Int) -> [UInt8] {
        [UInt8(sizeBytes >> 16), UInt8(sizeBytes >> 8 & 255), UInt8(sizeBytes & 255), type, flags]
            + [0, 0, 0, 1] + [UInt8](repeating: 9, count: sizeBytes)
    }

    private static let frames: [(UInt8, UInt8, Int)] = [
        (4, 0, 0), (1, 4, 70), (0, 0, 0), (0, 1, 70_000), (0xfa, 0, 3), (6, 1, 8),
    ]

    private func walk(_ bytes: [UInt8], pieceSize: Int, hasPreface: Bool) -> [FrameWalk.Frame] {
        var walk = FrameWalk(hasPreface: hasPreface)
        var found: [FrameWalk.Frame] = []
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + pieceSize)
            unsafe bytes[offset..<end].withUnsafeBytes { buffer in
                walk.walk(unsafe ByteSlice(buffer)) {
                    found.append($0)
                    return true
                }
            }
            offset = end
        }
        return found
    }

    // Goal: a block is open from the header of its first frame to its last byte. Method: one byte
    // at a time, with what has been open when each frame was found, and at the end of each.
    @Test func headerBlocksAreOpenToTheirLastByte() {
        let frames: [(type: UInt8, flags: UInt8, sizeBytes: Int, isOpenBehind: Bool)] = [
            (4, 0, 6, false), (1, 4, 3, false), (1, 0, 2, true), (9, 0, 0, true), (9, 4, 2, false),
            (1, 4, 0, false), (0, 1, 5, false), (1, 0, 1, true), (9, 4, 0, false),
        ]
        var walk = FrameWalk(hasPreface: false)
        var blockCount: UInt64 = 0
        for frame in frames {
            let bytes = Self.frame(frame.type, frame.flags, frame.sizeBytes)
            if frame.type == 1 { blockCount += 1 }
            for (index, byte) in bytes.enumerated() {
                unsafe withUnsafeBytes(of: byte) { walk.walk(unsafe ByteSlice($0)) { _ in true } }
                let isInside = index >= 8 && index < bytes.count - 1
                if isInside, frame.type == 1 || frame.type == 9 {
                    #expect(walk.headerBlock == blockCount)
                }
            }
            #expect(walk.headerBlock == (frame.isOpenBehind ? blockCount : 0), "\(frame)")
        }
    }

    @Test(arguments: [1, 2, 8, 9, 10, 24, 33, 1_000, 1 << 20], [false, true])
    func framesAreFoundOnce(pieceSize: Int, hasPreface: Bool) {
        let preface = [UInt8](repeating: 0x50, count: hasPreface ? 24 : 0)
        let bytes = preface + Self.frames.flatMap { Self.frame($0.0, $0.1, $0.2) }
        let found = walk(bytes, pieceSize: pieceSize, hasPreface: hasPreface)
        #expect(
            found
                == Self.frames.map { FrameWalk.Frame(type: $0.0, flags: $0.1, sizeBytes: $0.2) })
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

@Suite struct GzipUnpackerTests {
    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        Array(ClientConnection.frame(bytes, isCompressed: true)[5...])
    }

    /// What comes out of `packed`, given in pieces; nil where it is damaged.
    private static func unpacked(
        _ packed: [UInt8], pieceSize: Int, roomSize: Int
    ) -> (text: [UInt8], isComplete: Bool)? {
        var unpacker = GzipUnpacker()
        var text: [UInt8] = []
        var start = 0
        while start < packed.count {
            let piece = packed[start..<min(start + pieceSize, packed.count)]
            var room = [UInt8](repeating: 0, count: roomSize)
            let step = unsafe piece.withUnsafeBytes { piece in
                unsafe room.withUnsafeMutableBytes { room in
                    unsafe try? unpacker.unpack(ByteSlice(piece), into: room)
                }
            }
            guard let step else { return nil }
            text += room[..<step.madeCount]
            start += step.takenCount
        }
        return (text, unpacker.isComplete)
    }

    private static let texts: [[UInt8]] = [
        [], [1], (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) },
        [UInt8](repeating: 0, count: 300_000),
    ]

    @Test(arguments: [(1, 1_000), (7, 11), (1 << 20, 1 << 20), (1 << 20, 4_096)])
    func piecesAndRoomsMakeNoDifference(pieceSize: Int, roomSize: Int) {
        for text in GzipUnpackerTests.texts {
            for packed in [GzipUnpackerTests.gzip(text), GzipUnpackerTests.gzip(text + text)] {
                let twice = GzipUnpackerTests.gzip(text) + packed
                let found = GzipUnpackerTests.unpacked(
                    twice, pieceSize: pieceSize, roomSize: roomSize)
                #expect(found?.isComplete == true)
                let isDouble = packed != GzipUnpackerTests.gzip(text)
                #expect(found?.text == text + text + (isDouble ? text : []))
            }
        }
    }

    @Test func whatIsCutOffIsNotComplete() throws {
        let packed = GzipUnpackerTests.gzip(GzipUnpackerTests.texts[2])
        for count in [1, 2, 10, packed.count / 2, packed.count - 8, packed.count - 1] {
            let found = GzipUnpackerTests.unpacked(
                Array(packed[..<count]), pieceSize: 100, roomSize: 1_000)
            #expect(found?.isComplete == false)
            #expect(GzipUnpackerTests.texts[2].starts(with: try #require(found).text))
        }
    }

    @Test func damageIsFound() {
        let packed = GzipUnpackerTests.gzip([1, 2, 3, 4, 5])
        func isDamaged(_ bytes: [UInt8]) -> Bool {
            GzipUnpackerTests.unpacked(bytes, pieceSize: 3, roomSize: 10) == nil
        }
        #expect(!isDamaged(packed))
        #expect(isDamaged(packed + [1, 2]))
        #expect(isDamaged([0x1f, 0x8b, 7, 0]))
        for index in 1...8 {
            var flipped = packed
            flipped[flipped.count - index] ^= 1
            #expect(isDamaged(flipped))
        }
    }
}

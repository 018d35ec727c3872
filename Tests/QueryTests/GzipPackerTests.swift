// SPDX-License-Identifier: Apache-2.0
import Base
import GRPC
import Testing

@testable import Query

@Suite struct GzipPackerTests {
    private static let text = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }

    /// `text` in pieces, with a flush behind each, and how long it was after each.
    private static func packed(
        pieceSize: Int, _ flush: GzipPacker.Flush
    ) throws -> (bytes: [UInt8], ends: [Int]) {
        let packer = try #require(GzipPacker(.fast))
        var (bytes, ends): ([UInt8], [Int]) = ([], [])
        for start in stride(from: 0, to: text.count, by: pieceSize) {
            let piece = text[start..<min(start + pieceSize, text.count)]
            unsafe piece.withUnsafeBytes {
                packer.pack(unsafe ByteSlice($0), flush, to: &bytes)
            }
            ends.append(bytes.count)
        }
        packer.pack(.empty, .end, to: &bytes)
        return (bytes, ends)
    }

    /// What a reader makes of `packed`, and whether it is all.
    private static func unpacked(
        _ packed: some Collection<UInt8>
    ) throws -> (text: [UInt8], isComplete: Bool) {
        var unpacker = GzipUnpacker()
        var room = [UInt8](repeating: 0, count: 1 << 20)
        let input = Array(packed)
        let step = try unsafe input.withUnsafeBytes { input in
            try unsafe room.withUnsafeMutableBytes { room in
                try unsafe unpacker.unpack(ByteSlice(input), into: room)
            }
        }
        #expect(step.takenCount == input.count)
        return (Array(room[..<step.madeCount]), unpacker.isComplete)
    }

    @Test(arguments: [1_000, 65_536, 1 << 20])
    func piecesMakeOneText(pieceSize: Int) throws {
        for flush in [GzipPacker.Flush.none, .all] {
            let packed = try GzipPackerTests.packed(pieceSize: pieceSize, flush)
            let found = try GzipPackerTests.unpacked(packed.bytes)
            #expect(found.text == GzipPackerTests.text && found.isComplete)
        }
    }

    @Test func whatIsFlushedCanBeRead() throws {
        let (bytes, ends) = try GzipPackerTests.packed(pieceSize: 50_000, .all)
        for (index, end) in ends.enumerated() {
            let found = try GzipPackerTests.unpacked(bytes[..<end])
            #expect(found.text == Array(GzipPackerTests.text.prefix(50_000 * (index + 1))))
            #expect(!found.isComplete)
        }
    }

    @Test func nothingIsATextToo() throws {
        let packer = try #require(GzipPacker(.thorough))
        var bytes: [UInt8] = []
        packer.pack(.empty, .end, to: &bytes)
        let found = try GzipPackerTests.unpacked(bytes)
        #expect(found.text.isEmpty && found.isComplete)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

@Suite struct MessageDeframerTests {
    let budget = MemoryBudget(limitBytes: 1 << 20)

    /// Feeds `bytes` in pieces of `pieceSize` and returns the message, or the fault.
    private func deframe(
        _ bytes: [UInt8], pieceSize: Int, limitBytes: Int
    ) -> Result<[UInt8], MessageDeframer.Fault> {
        var deframer = MessageDeframer(budget: budget)
        do throws(MessageDeframer.Fault) {
            var offset = 0
            while offset < bytes.count {
                let piece = Array(bytes[offset..<min(bytes.count, offset + pieceSize)])
                try append(piece, to: &deframer, limitBytes: limitBytes)
                offset += pieceSize
            }
            let payload = try deframer.finish()
            return .success(unsafe Array(payload.slice.buffer))
        } catch {
            return .failure(error)
        }
    }

    private func append(
        _ piece: [UInt8], to deframer: inout MessageDeframer, limitBytes: Int
    ) throws(MessageDeframer.Fault) {
        var fault: MessageDeframer.Fault?
        unsafe piece.withUnsafeBytes { bytes in
            do throws(MessageDeframer.Fault) {
                try deframer.append(unsafe ByteSlice(bytes), limitBytes: limitBytes)
            } catch { fault = error }
        }
        if let fault { throw fault }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 100])
    func anySplitGivesTheSameMessage(pieceSize: Int) {
        let message = (0..<50).map { UInt8($0) }
        let result = deframe([0, 0, 0, 0, 50] + message, pieceSize: pieceSize, limitBytes: 50)
        #expect(result == .success(message))
    }

    @Test(
        arguments: [
            ([2, 0, 0, 0, 0], .flag(2)),
            ([0, 0, 0, 0, 11] + [UInt8](repeating: 0, count: 11), .tooLarge(sizeBytes: 11)),
            ([0, 0xff, 0xff, 0xff, 0xff], .tooLarge(sizeBytes: 0xffff_ffff)),
            ([0, 0, 0, 0, 1, 7, 7], .secondMessage),
            ([0, 0, 0, 0, 0, 0], .secondMessage),
            ([], .missing), ([0], .truncated), ([0, 0, 0, 0, 2, 7], .truncated),
        ] as [([UInt8], MessageDeframer.Fault)])
    func faults(bytes: [UInt8], expected: MessageDeframer.Fault) {
        for pieceSize in [1, 3, 100] {
            #expect(deframe(bytes, pieceSize: pieceSize, limitBytes: 10) == .failure(expected))
        }
    }

    @Test func aFalseLengthAllocatesNothing() {
        var deframer = MessageDeframer(budget: budget)
        try? append([0, 0, 15, 0xff, 0xff], to: &deframer, limitBytes: 1 << 20)
        #expect(budget.inUseBytes == 0)
    }

    @Test func anEmptyMessageIsAMessage() {
        #expect(deframe([0, 0, 0, 0, 0], pieceSize: 2, limitBytes: 10) == .success([]))
    }
}

@Suite struct InflaterTests {
    let budget = MemoryBudget(limitBytes: 64 << 20)

    private func inflate(
        _ bytes: [UInt8], limitBytes: Int
    ) -> Result<[UInt8], Inflater.Fault> {
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(Inflater.Fault) {
                let output = try Inflater.inflate(
                    unsafe ByteSlice(bytes), limitBytes: limitBytes, budget: budget)
                return .success(unsafe Array(output.slice.buffer))
            } catch {
                return .failure(error)
            }
        }
    }

    private func gzip(_ bytes: [UInt8]) -> [UInt8] {
        Array(ClientConnection.frame(bytes, isCompressed: true)[5...])
    }

    @Test(arguments: [0, 1, 4_096, 100_000])
    func roundTrips(size: Int) {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(inflate(gzip(bytes), limitBytes: 100_000) == .success(bytes))
    }

    @Test func theLimitIsExact() {
        let packed = gzip([UInt8](repeating: 0, count: 1_000_000))
        #expect(inflate(packed, limitBytes: 999_999).map(\.count) == .failure(.tooLarge))
        #expect(inflate(packed, limitBytes: 1_000_000).map(\.count) == .success(1_000_000))
    }

    @Test func severalMembersAreOneMessage() {
        #expect(inflate(gzip([1, 2]) + gzip([3]), limitBytes: 10) == .success([1, 2, 3]))
    }

    @Test func damageIsFound() {
        let packed = gzip([1, 2, 3, 4, 5])
        #expect(inflate(Array(packed.dropLast()), limitBytes: 10) == .failure(.corrupt))
        #expect(inflate(packed + [0], limitBytes: 10) == .failure(.corrupt))
        #expect(inflate([], limitBytes: 10) == .failure(.corrupt))
        #expect(inflate([1, 2, 3, 4], limitBytes: 10) == .failure(.corrupt))
        var flipped = packed
        flipped[flipped.count - 6] ^= 0xff
        #expect(inflate(flipped, limitBytes: 10) == .failure(.corrupt))
    }

    @Test func announcedSizeIsThatOfTheLastMember() {
        let message = gzip([UInt8](repeating: 7, count: 70_000)) + gzip([1, 2, 3])
        unsafe message.withUnsafeBytes { bytes in
            let slice = unsafe ByteSlice(bytes)
            #expect(Inflater.announcedSizeBytes(of: slice) == 3)
            let first = slice.slice(offset: 0, count: slice.count - gzip([1, 2, 3]).count)
            #expect(Inflater.announcedSizeBytes(of: first) == 70_000)
            #expect(Inflater.announcedSizeBytes(of: slice.slice(offset: 0, count: 3)) == 0)
        }
    }

    // Goal: work is known although it came to nothing.
    @Test func whatCameOutIsCountedWhateverComesOfIt() {
        let packed = gzip([UInt8](repeating: 0, count: 1_000_000))
        func produced(_ bytes: [UInt8], limitBytes: Int) -> Int {
            var producedBytes = 0
            unsafe bytes.withUnsafeBytes { bytes in
                _ = try? Inflater.inflate(
                    unsafe ByteSlice(bytes), limitBytes: limitBytes, budget: budget,
                    producedBytes: &producedBytes)
            }
            return producedBytes
        }
        #expect(produced(packed, limitBytes: 2_000_000) == 1_000_000)
        #expect(produced(packed, limitBytes: 10_000) == 10_001)
        #expect(produced(Array(packed.dropLast()), limitBytes: 2_000_000) == 1_000_000)
        #expect(produced([1, 2, 3], limitBytes: 10) == 0)
    }

    @Test func outputIsChargedToTheBudget() {
        let small = MemoryBudget(limitBytes: 10_000)
        let packed = gzip([UInt8](repeating: 0, count: 1_000_000))
        let result: Inflater.Fault? = unsafe packed.withUnsafeBytes { bytes in
            do throws(Inflater.Fault) {
                _ = try Inflater.inflate(
                    unsafe ByteSlice(bytes), limitBytes: 1 << 20, budget: small)
                return nil
            } catch { return error }
        }
        #expect(result == .overBudget)
        #expect(small.inUseBytes == 0)
    }
}

// Calls of many messages feed each of them what it still lacks.
@Test func deframerSaysWhatItLacks() throws {
    var deframer = MessageDeframer(budget: MemoryBudget(limitBytes: 1 << 20))
    let isEmptyAtFirst = deframer.isEmpty
    #expect(isEmptyAtFirst)
    let bytes: [UInt8] = [0, 0, 0, 0, 2, 7, 8]
    for (index, missing) in [(0, 4), (1, 3), (2, 2), (3, 1), (4, 2), (5, 1), (6, 0)] {
        try unsafe bytes.withUnsafeBytes { bytes throws in
            let slice = unsafe ByteSlice(bytes).slice(offset: index, count: 1)
            try deframer.append(slice, limitBytes: 2)
        }
        let (isComplete, missingSizeBytes) = (deframer.isComplete, deframer.missingSizeBytes)
        #expect(missingSizeBytes == missing)
        #expect(isComplete == (index == 6))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@Suite struct MemoryBudgetTests {
    // Goal: the limit can be reached and never passed. Method: both sides of it.
    @Test(arguments: [(0, true), (1, true), (100, true), (101, false), (Int.max, false)])
    func reservesUpToTheLimit(bytes: Int, expected: Bool) {
        let budget = MemoryBudget(limitBytes: 100)
        #expect(budget.tryReserve(bytes) == expected)
        #expect(budget.inUseBytes == (expected ? bytes : 0))
    }

    @Test func releasedBytesCanBeReservedAgain() {
        let budget = MemoryBudget(limitBytes: 100)
        #expect(budget.tryReserve(60))
        #expect(!budget.tryReserve(41))
        budget.release(20)
        #expect(budget.tryReserve(60))
        #expect(budget.inUseBytes == 100)
    }

    @Test func releasingMoreThanReservedTraps() async {
        await #expect(processExitsWith: .failure) {
            MemoryBudget(limitBytes: 100).release(1)
        }
    }
}

@Suite struct OwnedBytesTests {
    private func withSlice<R>(_ bytes: [UInt8], _ body: (ByteSlice) -> R) -> R {
        unsafe bytes.withUnsafeBytes { body(unsafe ByteSlice($0)) }
    }

    @Test func appendStopsAtTheLimitAndKeepsItsContent() {
        let budget = MemoryBudget(limitBytes: 1 << 20)
        var owned = OwnedBytes(budget: budget)
        let results = [[1, 2, 3], [4, 5], [4]].map { piece in
            withSlice(piece) { owned.append($0, limitBytes: 4) }
        }
        #expect(results == [true, false, true])
        #expect(unsafe Array(owned.slice.buffer) == [1, 2, 3, 4])
        #expect(budget.inUseBytes == owned.capacityBytes)
    }

    @Test func growthIsChargedBeforeItHappens() {
        let budget = MemoryBudget(limitBytes: 10_000)
        var owned = OwnedBytes(budget: budget)
        let chunk = [UInt8](repeating: 7, count: 4_000)
        let results = (0..<3).map { _ in
            withSlice(chunk) { owned.append($0, limitBytes: 1 << 20) }
        }
        #expect(results == [true, true, false])
        #expect(owned.count == 8_000)
        #expect(budget.inUseBytes <= 10_000)
    }

    @Test func destructionGivesEverythingBack() {
        let budget = MemoryBudget(limitBytes: 10_000)
        do {
            var owned = OwnedBytes(budget: budget)
            let isReserved = owned.reserve(capacityBytes: 10_000)
            #expect(isReserved)
            #expect(budget.inUseBytes == 10_000)
        }
        #expect(budget.inUseBytes == 0)
    }
}

@Suite struct ArenaTests {
    @Test func piecesAreAlignedAndNeverPassTheEnd() {
        var arena = Arena(sizeBytes: 64)
        for expected in [1, 17, 33] {
            let address = unsafe arena.allocate(sizeBytes: 1).map { Int(bitPattern: $0) } ?? 1
            #expect(address % Arena.alignmentBytes == 0)
            #expect(arena.usedSizeBytes == expected)
        }
        let isGiven = [17, 16, 1].map { unsafe arena.allocate(sizeBytes: $0) != nil }
        #expect(isGiven == [false, true, false])
    }
}

@Suite struct ArenaPoolTests {
    @Test(arguments: [
        (1, 1), (65_535, 65_535), (65_536, 65_536), (65_537, 131_072), (1_500_000, 1_507_328),
    ])
    func capacitiesComeInGranules(sizeBytes: Int, expectedBytes: Int) {
        #expect(ArenaPool.capacityBytes(sizeBytes: sizeBytes) == expectedBytes)
    }

    @Test func memoryThatCameBackIsUsedAgain() {
        let pool = ArenaPool()
        var places: [Int] = []
        for sizeBytes in [200_000, 199_000, 70_000, 200_000] {
            var arena = Arena(sizeBytes: sizeBytes, pool: pool)
            places.append(unsafe arena.allocate(sizeBytes: 1).map { Int(bitPattern: $0) } ?? 0)
        }
        #expect(places[0] == places[1] && places[0] == places[3])
        #expect(places[2] != places[0])
    }

    @Test func whatABurstNeededGoesBackWhenNobodyTakesItAnyMore() {
        let pool = ArenaPool()
        let sizeBytes = ArenaPool.granuleBytes
        do {
            let first = Arena(sizeBytes: sizeBytes, pool: pool)
            let second = Arena(sizeBytes: sizeBytes, pool: pool)
            let third = Arena(sizeBytes: sizeBytes, pool: pool)
            let capacitiesBytes = [first.capacityBytes, second.capacityBytes, third.capacityBytes]
            #expect(capacitiesBytes.allSatisfy { $0 == sizeBytes })
        }
        #expect(pool.waitingSizeBytes == 3 * sizeBytes)
        // All three have just been used.
        pool.giveBackResting()
        #expect(pool.waitingSizeBytes == 3 * sizeBytes)
        do { _ = Arena(sizeBytes: sizeBytes, pool: pool) }
        pool.giveBackResting()
        #expect(pool.waitingSizeBytes == sizeBytes)
        pool.giveBackResting()
        #expect(pool.waitingSizeBytes == 0)
    }

    @Test func anArenaOfTheSameBlockStillEndsWhereItShould() {
        let pool = ArenaPool()
        do { _ = Arena(sizeBytes: 131_072, pool: pool) }
        var arena = Arena(sizeBytes: 70_000, pool: pool)
        let isGiven = [70_001, 70_000].map { unsafe arena.allocate(sizeBytes: $0) != nil }
        #expect(isGiven == [false, true])
        #expect(arena.capacityBytes == 131_072)
    }
}

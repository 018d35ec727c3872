// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Copy

// Goal: the buffer takes what it needs from the budget and not more than there is. Method: both
// sides of the limit.

@Test func aBufferGrowsInSteps() {
    let budget = MemoryBudget(limitBytes: 1 << 30)
    var buffer = CopyBuffer(budget: budget)
    #expect(buffer.capacityBytes == 0 && budget.inUseBytes == 0)
    #expect(reserve(1, in: &buffer))
    #expect(buffer.capacityBytes == CopyBuffer.growthSizeBytesMin)
    #expect(reserve(CopyBuffer.growthSizeBytesMin, in: &buffer))
    #expect(buffer.capacityBytes == CopyBuffer.growthSizeBytesMin)
    #expect(reserve(CopyBuffer.growthSizeBytesMin + 1, in: &buffer))
    #expect(buffer.capacityBytes == 2 * CopyBuffer.growthSizeBytesMin)
    #expect(budget.inUseBytes == buffer.capacityBytes)
    #expect(reserve(100 << 20, in: &buffer))
    #expect(reserve(100 << 20 + 1, in: &buffer))
    #expect(buffer.capacityBytes <= 100 << 20 + CopyBuffer.growthSizeBytesMax)
}

@Test func aBufferTakesWhatIsNeededWhereTheStepIsNotThere() {
    let budget = MemoryBudget(limitBytes: 1_000)
    var buffer = CopyBuffer(budget: budget)
    #expect(!reserve(1_001, in: &buffer))
    #expect(budget.inUseBytes == 0)
    #expect(reserve(500, in: &buffer))
    #expect(buffer.capacityBytes == 500)
    // Old and new block exist while bytes move from one to the other.
    #expect(!reserve(501, in: &buffer))
    #expect(buffer.capacityBytes == 500 && budget.inUseBytes == 500)
    buffer.removeAll(keptSizeBytes: 0)
    #expect(budget.inUseBytes == 0)
    #expect(reserve(1_000, in: &buffer))
}

// Goal: near the end of the budget a buffer is not copied for each row. Method: rows until there is
// no room, and how often the block changed.
@Test func aBufferIsNotCopiedForEachRowWhereTheBudgetEnds() {
    let budget = MemoryBudget(limitBytes: 100 << 20)
    var buffer = CopyBuffer(budget: budget)
    var changeCount = 0
    while true {
        let capacityBytes = buffer.capacityBytes
        guard buffer.reserve(256) else { break }
        for number in 0..<32 { buffer.putBigEndian(UInt64(number)) }
        if buffer.capacityBytes != capacityBytes { changeCount += 1 }
    }
    #expect(changeCount < 40)
    #expect(buffer.capacityBytes > 40 << 20)
}

@Test func aBufferIsNeverLargerThanItsOffsets() {
    let budget = MemoryBudget(limitBytes: Int.max)
    var buffer = CopyBuffer(budget: budget)
    #expect(!reserve(CopyBuffer.sizeBytesMax + 1, in: &buffer))
    #expect(!reserve(Int.max, in: &buffer))
    #expect(budget.inUseBytes == 0)
}

private func reserve(_ sizeBytes: Int, in buffer: inout CopyBuffer) -> Bool {
    buffer.reserve(sizeBytes)
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Base

// Goal: a connection that sends what it means always has something left, and one that sends little
// that means much does not, until time has passed.

@Suite struct WorkAllowanceTests {
    private static let startNs: UInt64 = 1_000_000_000_000

    @Test func fourBytesForEachReceivedAreFree() {
        let allowance = WorkAllowance()
        for _ in 0..<10_000 {
            allowance.charge(receivedBytes: 1 << 20, madeBytes: 4 << 20, nowNs: Self.startNs)
        }
        #expect(!allowance.isSpent(nowNs: Self.startNs))
    }

    @Test func whatIsBeyondIsPaidForByTime() {
        let allowance = WorkAllowance()
        let nowNs = Self.startNs
        allowance.charge(
            receivedBytes: 0, madeBytes: Limits.inlineMadeBurstSizeBytes - 1, nowNs: nowNs)
        #expect(!allowance.isSpent(nowNs: nowNs))
        allowance.charge(
            receivedBytes: 10, madeBytes: Limits.inlineMadeBytesPerSecond + 41, nowNs: nowNs)
        #expect(allowance.isSpent(nowNs: nowNs))
        #expect(allowance.isSpent(nowNs: nowNs + 999_999_000))
        #expect(!allowance.isSpent(nowNs: nowNs + 1_000_001_000))
    }
}

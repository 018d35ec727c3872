// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

@Suite struct RetryHintTests {
    // Goal: backlog divided by rate, within 1 to 5 s. Method: both ends and the middle.
    @Test(arguments: [
        (0, 100_000, 1_000), (100_000, 100_000, 1_000), (250_000, 100_000, 2_500),
        (500_000, 100_000, 5_000), (10_000_000, 100_000, 5_000), (1, 0, 5_000), (0, 0, 5_000),
    ])
    func delay(backlog: Int, rate: Int, expectedMs: Int) {
        #expect(
            RetryHint.delayMs(backlogItemCount: backlog, itemsPerSecond: rate) == expectedMs)
    }
}

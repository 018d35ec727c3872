// SPDX-License-Identifier: Apache-2.0

/// Exponential delays with jitter between attempts that may keep failing.
package struct Backoff: Sendable {
    package let minMs: Int
    package let maxMs: Int
    private var nextMs: Int

    package init(minMs: Int, maxMs: Int) {
        precondition(minMs > 0 && maxMs >= minMs)
        self.minMs = minMs
        self.maxMs = maxMs
        nextMs = minMs
    }

    /// The delay before the next attempt: half to all of a bound that doubles from `minMs` to
    /// `maxMs`.
    package mutating func nextDelayMs() -> Int {
        var generator = SystemRandomNumberGenerator()
        return nextDelayMs(using: &generator)
    }

    package mutating func nextDelayMs(using generator: inout some RandomNumberGenerator) -> Int {
        let bound = nextMs
        nextMs = min(maxMs, bound * 2)
        return Int.random(in: max(1, bound / 2)...bound, using: &generator)
    }

    /// Back to the start, after a success.
    package mutating func reset() { nextMs = minMs }
}

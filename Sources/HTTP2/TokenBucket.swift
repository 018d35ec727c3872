// SPDX-License-Identifier: Apache-2.0

/// How often something may happen: `burst` times at once, and once more per `intervalNs`.
package struct RateLimit: Sendable, Equatable {
    package var burst: UInt64
    package var intervalNs: UInt64

    package init(burst: UInt64, intervalNs: UInt64) {
        self.burst = burst
        self.intervalNs = intervalNs
    }

    package static func perSecond(_ count: UInt64, burst: UInt64) -> RateLimit {
        RateLimit(burst: burst, intervalNs: 1_000_000_000 / count)
    }
}

/// Holds a peer to a `RateLimit`. Two words, no allocation; the caller brings the time.
///
/// It keeps the moment at which all tokens will be back (the virtual scheduling form of the generic
/// cell rate algorithm, ITU-T I.371).
struct TokenBucket {
    private let limit: RateLimit
    private var fullAtNs: UInt64 = 0

    init(_ limit: RateLimit) { self.limit = limit }

    /// Takes `count` tokens; false, and takes none, when there are fewer.
    mutating func take(_ count: UInt64 = 1, nowNs: UInt64) -> Bool {
        let next = max(fullAtNs, nowNs) + count * limit.intervalNs
        guard next - nowNs <= limit.burst * limit.intervalNs else { return false }
        fullAtNs = next
        return true
    }

    /// Puts `count` tokens back; there are never more than `burst`.
    mutating func putBack(_ count: UInt64) {
        let backNs = count * limit.intervalNs
        fullAtNs = fullAtNs > backNs ? fullAtNs - backNs : 0
    }

    mutating func refill() { fullAtNs = 0 }
}

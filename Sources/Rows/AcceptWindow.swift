// SPDX-License-Identifier: Apache-2.0

/// The times that are stored: rows outside would need partitions that retention drops at once, or
/// that nobody will ever look for.
package struct AcceptWindow: Sendable, Equatable {
    /// Nanoseconds since 1970, inclusive.
    package let minUnixNs: UInt64
    /// Nanoseconds since 1970, inclusive; below 2^63.
    package let maxUnixNs: UInt64

    package init(minUnixNs: UInt64, maxUnixNs: UInt64) {
        precondition(minUnixNs <= maxUnixNs && maxUnixNs <= UInt64(Int64.max))
        self.minUnixNs = minUnixNs
        self.maxUnixNs = maxUnixNs
    }

    /// From `pastNs` before `nowUnixNs` to `futureNs` after it, as far as nanoseconds reach.
    package init(nowUnixNs: UInt64, pastNs: UInt64, futureNs: UInt64) {
        let latest = UInt64(Int64.max)
        let now = min(nowUnixNs, latest)
        self.init(minUnixNs: now - min(pastNs, now), maxUnixNs: now + min(futureNs, latest - now))
    }

    @inline(__always)
    package func contains(_ unixNs: UInt64) -> Bool { unixNs >= minUnixNs && unixNs <= maxUnixNs }
}

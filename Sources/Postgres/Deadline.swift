// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Arithmetic on deadlines, which are nanoseconds on the monotonic clock.
package enum Deadline {
    /// The deadline `milliseconds` from now.
    package static func inMs(_ milliseconds: Int) -> UInt64 {
        Clock.monotonicNs + UInt64(max(0, milliseconds)) * 1_000_000
    }

    /// What is left of a deadline in the unit of poll(), rounded up so that a wait never ends
    /// early.
    static func leftMs(untilNs deadlineNs: UInt64) -> Int32 {
        let nowNs = Clock.monotonicNs
        guard deadlineNs > nowNs else { return 0 }
        let leftMs = (deadlineNs - nowNs - 1) / 1_000_000 + 1
        return Int32(min(leftMs, UInt64(Int32.max)))
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Time, in nanoseconds, from the two clocks that the daemon uses.
package enum Clock {
    /// Since some fixed point, never backwards: for intervals and deadlines. CLOCK_MONOTONIC.
    package static var monotonicNs: UInt64 { read(CLOCK_MONOTONIC) }

    /// Since 1970-01-01T00:00:00Z: for what is stored. CLOCK_REALTIME.
    package static var unixNs: UInt64 { read(CLOCK_REALTIME) }

    private static func read(_ id: clockid_t) -> UInt64 {
        var time = timespec()
        let result = unsafe clock_gettime(id, &time)
        precondition(result == 0, "clock_gettime failed")
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

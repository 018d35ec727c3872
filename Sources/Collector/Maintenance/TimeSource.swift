// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Where time comes from, for what is to be tried under a clock that tests move.
struct TimeSource: Sendable {
    let monotonicNs: @Sendable () -> UInt64
    let unixNs: @Sendable () -> UInt64

    static let system = TimeSource(
        monotonicNs: { Clock.monotonicNs }, unixNs: { Clock.unixNs })
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// Why one item makes no row.
struct RowFault: Error {
    let fault: ItemFault

    init(_ fault: ItemFault) { self.fault = fault }

    /// A time as the signed integer that is stored; nanoseconds end in the year 2262.
    @inline(__always)
    static func storable(_ unixNs: UInt64) throws(RowFault) -> Int64 {
        guard unixNs <= UInt64(Int64.max) else { throw RowFault(.timeOutOfRange) }
        return Int64(unixNs)
    }

    /// The two times of a data point.
    @inline(__always)
    static func pointTimes(
        timeUnixNs: UInt64, startTimeUnixNs: UInt64, window: AcceptWindow
    ) throws(RowFault) -> PointTimes {
        let times = PointTimes(
            timeUnixNs: try storable(timeUnixNs), startTimeUnixNs: try storable(startTimeUnixNs))
        guard window.contains(timeUnixNs) else { throw RowFault(.timeOutsideWindow) }
        return times
    }
}

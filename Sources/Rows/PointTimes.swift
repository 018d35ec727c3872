// SPDX-License-Identifier: Apache-2.0

/// When a data point was taken.
package struct PointTimes: Sendable {
    /// Which partition the row goes into, too.
    package let timeUnixNs: Int64
    /// 0 means NULL.
    package let startTimeUnixNs: Int64
}

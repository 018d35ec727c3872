// SPDX-License-Identifier: Apache-2.0
package import Decode

/// A row of `otel_metrics_data_points_number`. Borrows from the arena of the export.
package struct NumberPointRow {
    package let times: PointTimes
    package let seriesID: Int64
    /// Value, flags (0 means NULL) and exemplars (none means NULL) are read from the message.
    package let view: NumberDataPointView
}

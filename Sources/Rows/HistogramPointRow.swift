// SPDX-License-Identifier: Apache-2.0
package import Decode

/// A row of `otel_metrics_data_points_histogram`. Borrows from the arena of the export.
package struct HistogramPointRow {
    package let times: PointTimes
    package let seriesID: Int64
    /// Nil where the point has no explicit bounds.
    package let boundsID: Int32?
    /// The other columns are read from the message.
    package let view: HistogramDataPointView
}

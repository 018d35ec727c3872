// SPDX-License-Identifier: Apache-2.0
package import Decode

/// A row of `otel_metrics_data_points_exp_histogram`. Borrows from the arena of the export.
package struct ExponentialHistogramPointRow {
    package let times: PointTimes
    package let seriesID: Int64
    /// The other columns are read from the message.
    package let view: ExponentialHistogramDataPointView
}

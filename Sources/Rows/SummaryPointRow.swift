// SPDX-License-Identifier: Apache-2.0
package import Decode

/// A row of `otel_metrics_data_points_summary`. Borrows from the arena of the export.
package struct SummaryPointRow {
    package let times: PointTimes
    package let seriesID: Int64
    /// The other columns are read from the message.
    package let view: SummaryDataPointView
}

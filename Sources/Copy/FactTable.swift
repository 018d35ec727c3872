// SPDX-License-Identifier: Apache-2.0

/// The tables that rows are copied into.
package enum FactTable: Int, CaseIterable, Sendable {
    case spans, logs, numberPoints, histogramPoints, expHistogramPoints, summaryPoints

    /// Name of the partitioned table.
    package var name: String {
        switch self {
        case .spans: "otel_spans_fact"
        case .logs: "otel_logs_fact"
        case .numberPoints: "otel_metrics_data_points_number"
        case .histogramPoints: "otel_metrics_data_points_histogram"
        case .expHistogramPoints: "otel_metrics_data_points_exp_histogram"
        case .summaryPoints: "otel_metrics_data_points_summary"
        }
    }

    /// The column of nanoseconds that the table is partitioned by.
    package var timeColumn: String { self == .spans ? "start_time_unix_nano" : "time_unix_nano" }

    /// The columns that the table has of itself, in the order in which rows are encoded. See
    /// `TableLayout` for those of attributes.
    package var columns: [String] {
        switch self {
        case .spans: FactTable.spanColumns
        case .logs: FactTable.logColumns
        case .numberPoints: FactTable.numberPointColumns
        case .histogramPoints: FactTable.histogramPointColumns
        case .expHistogramPoints: FactTable.expHistogramPointColumns
        case .summaryPoints: FactTable.summaryPointColumns
        }
    }

    private static let spanColumns = [
        "start_time_unix_nano", "end_time_unix_nano", "span_id", "parent_span_id", "resource_id",
        "scope_id",
        "operation_id", "kind_id", "flags", "status_code_id", "dropped_attributes_count",
        "dropped_events_count", "dropped_links_count", "trace_id", "name", "trace_state",
        "status_message",
        "attributes", "events", "links",
    ]

    private static let logColumns = [
        "time_unix_nano", "observed_time_unix_nano", "log_id", "span_id", "resource_id", "scope_id",
        "severity_number", "flags", "dropped_attributes_count", "body_type_id",
        "time_is_substituted",
        "trace_id", "severity_text", "event_name", "body_text", "body", "attributes",
    ]

    private static let pointColumns = ["time_unix_nano", "start_time_unix_nano", "series_id"]

    private static let numberPointColumns =
        pointColumns + ["value_int", "value_double", "flags", "exemplars"]

    private static let histogramPointColumns =
        pointColumns + [
            "count", "sum", "min", "max", "bounds_id", "flags", "bucket_counts", "exemplars",
        ]

    private static let expHistogramPointColumns =
        pointColumns + [
            "count", "sum", "min", "max", "zero_count", "zero_threshold", "scale",
            "positive_offset",
            "negative_offset", "flags", "positive_bucket_counts", "negative_bucket_counts",
            "exemplars",
        ]

    private static let summaryPointColumns =
        pointColumns + ["count", "sum", "flags", "quantiles", "quantile_values"]
}

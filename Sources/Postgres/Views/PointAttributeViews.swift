// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// The four tables of metric points, and what their views have in common.
enum PointTable: String, CaseIterable {
    case number, histogram
    case expHistogram = "exp_histogram"
    case summary

    var tableName: String { "otel_metrics_data_points_\(rawValue)" }
}

/// `otel_metric_{number,histogram,exp_histogram,summary}_attrs_*`: the attributes of a series, once
/// per point of it.
enum PointAttributeViews {
    static let all = PointTable.allCases.flatMap { table in
        AttributeType.allCases.map { typed(table, $0) } + [other(table)]
    }

    private static let id = ViewColumn(
        "data_point_id", "otel_data_point_id(fact.series_id, fact.time_unix_nano)",
        "Series and time of the point as one number: series_id * 2^64 + time_unix_nano")
    private static let context = [
        ViewColumn("series_id", "fact.series_id"),
        ViewColumn(
            "time_unix_nano", "fact.time_unix_nano",
            "Time of the point; compare it with a number to skip partitions"),
    ]
    private static let advice =
        "Attributes belong to the series: otel_metric_series_attrs_* say the same once per series,"
        + " with an index"

    private static func typed(_ table: PointTable, _ type: AttributeType) -> ViewDefinition {
        .view(
            "otel_metric_\(table.rawValue)_attrs_\(type.rawValue)",
            "Attributes of type \(type.rawValue) of \(table.tableName), one row per point and"
                + " attribute. \(advice)",
            [
                id, ViewColumn("key_id", "typed.key_id"), ViewColumn("value", "typed.value"),
                ViewColumn("key", "known.key", "The attribute_keys row that key_id names, as text"),
            ] + context,
            from: """
                \(table.tableName) AS fact
                JOIN otel_metric_series_attrs_\(type.rawValue) AS typed USING (series_id)
                JOIN attribute_keys AS known USING (key_id)
                """)
    }

    private static func other(_ table: PointTable) -> ViewDefinition {
        .view(
            "otel_metric_\(table.rawValue)_attrs_other",
            "Attributes of \(table.tableName) that fit no typed table, as one object; no row where"
                + " there are none. \(advice)",
            [id, ViewColumn("attributes", "other.attributes")] + context,
            from: """
                \(table.tableName) AS fact
                JOIN otel_metric_series_attrs_other AS other USING (series_id)
                """)
    }
}

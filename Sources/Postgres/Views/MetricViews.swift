// SPDX-License-Identifier: Apache-2.0

/// `v_otel_metrics_{number,histogram,exp_histogram,summary}` and `v_otel_metrics_enriched`.
enum MetricViews {
    static let all = PointTable.allCases.map(points) + [enriched]

    private static func points(_ table: PointTable) -> ViewDefinition {
        .view(
            viewName(table),
            "One row per point of \(table.tableName), with metric, resource, scope and attributes."
                + " Compare time_unix_nano with a number (otel_unix_nano makes one) to skip"
                + " partitions",
            columns(table), from: source(table))
    }

    private static func viewName(_ table: PointTable) -> String {
        "v_otel_metrics_\(table.rawValue)"
    }

    private static func columns(_ table: PointTable) -> [ViewColumn] {
        var columns = identity + values(table) + origin + further
        if table != .summary {
            columns.append(ViewColumn("exemplars", "COALESCE(fact.exemplars, '[]')"))
        }
        return columns
    }

    private static func source(_ table: PointTable) -> String {
        let bounds = "\nLEFT JOIN otel_histogram_bounds_dim AS bounds USING (bounds_id)"
        return """
            \(table.tableName) AS fact
            LEFT JOIN otel_metric_series_dim AS series USING (series_id)
            LEFT JOIN otel_metrics_dim AS metric ON metric.metric_id = series.metric_id
            LEFT JOIN metric_types AS type ON type.metric_type_id = metric.metric_type_id
            LEFT JOIN aggregation_temporalities AS temporality
                ON temporality.temporality_id = metric.aggregation_temporality_id
            LEFT JOIN otel_resources_dim AS resource ON resource.resource_id = series.resource_id
            LEFT JOIN otel_scopes_dim AS scope ON scope.scope_id = series.scope_id
            """ + (table == .histogram ? bounds : "")
    }

    private static let identity = [
        ViewColumn(
            "data_point_id", "otel_data_point_id(fact.series_id, fact.time_unix_nano)",
            "Series and time of the point as one number: series_id * 2^64 + time_unix_nano"),
        ViewColumn("metric_id", "series.metric_id"),
        ViewColumn("metric_name", "metric.name"),
        ViewColumn("unit", "metric.unit"),
        ViewColumn("metric_type", "type.name"),
        ViewColumn("time_unix_nano", "fact.time_unix_nano"),
        ViewColumn("start_time_unix_nano", "fact.start_time_unix_nano"),
    ]

    private static let origin = [
        ViewColumn("service_name", "resource.service_name"),
        ViewColumn("service_namespace", "resource.service_namespace"),
        ViewColumn(
            "attributes", MergedAttributes.ofSeries(id: "fact.series_id"),
            "All attributes of the point"),
    ]

    private static let further = [
        ViewColumn("time", "otel_time(fact.time_unix_nano)"),
        ViewColumn("start_time", "otel_time(fact.start_time_unix_nano)"),
        ViewColumn("series_id", "fact.series_id"),
        ViewColumn("resource_id", "series.resource_id"),
        ViewColumn("scope_id", "series.scope_id"),
        ViewColumn("scope_name", "scope.name"),
        ViewColumn("scope_version", "scope.version"),
        ViewColumn("description", "metric.description"),
        ViewColumn("aggregation_temporality_id", "metric.aggregation_temporality_id"),
        ViewColumn("aggregation_temporality", "temporality.name"),
        ViewColumn("is_monotonic", "metric.is_monotonic"),
        ViewColumn("flags", "COALESCE(otel_uint32(fact.flags), 0)"),
        ViewColumn(
            "no_recorded_value", "COALESCE(fact.flags & 1, 0) = 1",
            "The flag of a point that says only that there was nothing to report"),
        ViewColumn(
            "resource_attributes", MergedAttributes.ofResource(id: "series.resource_id")),
        ViewColumn("scope_attributes", MergedAttributes.ofScope(id: "series.scope_id")),
    ]
}

// What each kind of point holds.
extension MetricViews {
    private static func values(_ table: PointTable) -> [ViewColumn] {
        switch table {
        case .number: number
        case .histogram: distribution + explicitBuckets
        case .expHistogram: distribution + exponentialBuckets
        case .summary: summary
        }
    }

    private static let number = [
        ViewColumn(
            "value", "COALESCE(fact.value_int::double precision, fact.value_double)",
            "The value as a double; an integer beyond 2^53 is exact in value_int only"),
        ViewColumn("value_int", "fact.value_int", "The value where it is an integer"),
        ViewColumn("value_double", "fact.value_double", "The value where it is a double"),
    ]

    private static let count = ViewColumn("count", "otel_uint64(fact.count)")

    private static let distribution = [
        count, ViewColumn("sum", "fact.sum"), ViewColumn("min", "fact.min"),
        ViewColumn("max", "fact.max"),
    ]

    private static let explicitBuckets = [
        ViewColumn("explicit_bounds", "COALESCE(bounds.explicit_bounds, '{}')"),
        ViewColumn(
            "bucket_counts", "otel_uint64_array(fact.bucket_counts)",
            "One more than there are bounds, or none"),
    ]

    private static let exponentialBuckets = [
        ViewColumn("scale", "fact.scale"),
        ViewColumn("zero_count", "otel_uint64(fact.zero_count)"),
        ViewColumn("zero_threshold", "fact.zero_threshold"),
        ViewColumn("positive_offset", "fact.positive_offset", "NULL without positive buckets"),
        ViewColumn("positive_bucket_counts", buckets("positive")),
        ViewColumn("negative_offset", "fact.negative_offset", "NULL without negative buckets"),
        ViewColumn("negative_bucket_counts", buckets("negative")),
    ]

    private static func buckets(_ side: String) -> String {
        "CASE WHEN fact.\(side)_offset IS NOT NULL"
            + " THEN otel_uint64_array(fact.\(side)_bucket_counts) END"
    }

    private static let summary = [
        count, ViewColumn("sum", "fact.sum"),
        ViewColumn(
            "quantile_values",
            """
            COALESCE((SELECT jsonb_agg(jsonb_build_object(
                    'quantile', otel_double_json(pair.quantile),
                    'value', otel_double_json(pair.value)) ORDER BY pair.position)
                FROM unnest(fact.quantiles, fact.quantile_values)
                    WITH ORDINALITY AS pair (quantile, value, position)), '[]')
            """, "Array of objects with quantile and value"),
    ]
}

// All kinds of points in one view, with NULL for what a kind has not.
extension MetricViews {
    /// What only some kinds have, in the order of the view.
    private static let specific: [(name: String, type: String, tables: Set<PointTable>)] = [
        ("value", "double precision", [.number]),
        ("value_int", "bigint", [.number]),
        ("value_double", "double precision", [.number]),
        ("count", "numeric", [.histogram, .expHistogram, .summary]),
        ("sum", "double precision", [.histogram, .expHistogram, .summary]),
        ("min", "double precision", [.histogram, .expHistogram]),
        ("max", "double precision", [.histogram, .expHistogram]),
        ("explicit_bounds", "double precision[]", [.histogram]),
        ("bucket_counts", "numeric[]", [.histogram]),
        ("scale", "integer", [.expHistogram]),
        ("zero_count", "numeric", [.expHistogram]),
        ("zero_threshold", "double precision", [.expHistogram]),
        ("positive_offset", "integer", [.expHistogram]),
        ("positive_bucket_counts", "numeric[]", [.expHistogram]),
        ("negative_offset", "integer", [.expHistogram]),
        ("negative_bucket_counts", "numeric[]", [.expHistogram]),
        ("quantile_values", "jsonb", [.summary]),
        ("exemplars", "jsonb", [.number, .histogram, .expHistogram]),
    ]

    private static let enriched = ViewDefinition.view(
        "v_otel_metrics_enriched",
        "One row per metric point of any kind: the four views v_otel_metrics_* in one, with NULL"
            + " for what a kind of point does not have",
        [], query: PointTable.allCases.map(branch).joined(separator: "\nUNION ALL\n"))

    private static func branch(_ table: PointTable) -> String {
        let common = (identity + origin + further).map { SQLText.identifier($0.name) }
        let others = specific.map { column in
            let name = SQLText.identifier(column.name)
            return column.tables.contains(table) ? name : "NULL::\(column.type) AS \(name)"
        }
        return "SELECT \((common + others).joined(separator: ", "))\nFROM \(viewName(table))"
    }
}

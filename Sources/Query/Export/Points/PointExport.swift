// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// What points of one kind have beside series and times.
protocol PointValues {
    /// The table, and what is joined to it, have these.
    static var columns: [String] { get }
    /// Goes behind the other tables after FROM.
    static var join: String { get }
    /// Writes the fields of `PointFields.values` that points of the kind have, and says of the
    /// others that they lack them. Columns begin with `first`.
    static func fields(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout some RecordWriter)
    /// Writes members of the point in OTLP's JSON.
    static func otlp(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout JSONWriter)
}

/// Metric points of one kind, out of the columns of their table.
struct PointExport<Values: PointValues>: ItemExport {
    private var series = ExportedSeries()

    var columns: [String] {
        [
            "fact.time_unix_nano", "fact.start_time_unix_nano", "fact.series_id",
            "series.metric_id", "series.resource_id", "series.scope_id", "fact.flags",
        ] + Values.columns
    }

    private static var timeUnixNs: Int { 0 }
    private static var startUnixNs: Int { 1 }
    private static var seriesID: Int { 2 }
    private static var metricID: Int { 3 }
    static var resourceColumn: Int { 4 }
    static var scopeColumn: Int { 5 }
    private static var flags: Int { 6 }
    private static var values: Int { 7 }

    static var order: String { "fact.time_unix_nano, fact.series_id, fact.ctid" }
    static var names: [String] { PointFields.names }

    mutating func load(
        _ rows: borrowing QueryResult, from session: inout ReadSession
    ) throws(QueryFailure) {
        try series.load(
            of: rows, seriesColumn: PointExport.seriesID, metricColumn: PointExport.metricID,
            from: &session)
    }

    func record(
        _ rows: borrowing QueryResult, row: Int, _ origins: Origins,
        to writer: inout some RecordWriter
    ) {
        func integer(_ column: Int) -> Int64? { rows.integer(row: row, column: column) }
        let metric = integer(PointExport.metricID).flatMap { series.metrics[$0] }
        let points = integer(PointExport.seriesID).flatMap { series.all[$0] }
        let resource = integer(PointExport.resourceColumn).flatMap { origins.resources[$0] }
        let scope = integer(PointExport.scopeColumn).flatMap { origins.scopes[$0] }
        writer.record { writer in
            writer.field("metric", word: metric?.name)
            writer.field("type", word: metric?.typeName)
            writer.field("unit", word: metric?.unit)
            writer.field("temporality", word: metric?.temporalityName)
            writer.field("is_monotonic", json: metric?.isMonotonic.map { Array("\($0)".utf8) })
            writer.field("description", word: metric?.description)
            writer.field("time_unix_nano", digits: integer(PointExport.timeUnixNs))
            writer.field("start_time_unix_nano", digits: integer(PointExport.startUnixNs))
            writer.field("series_id", digits: integer(PointExport.seriesID))
            writer.field("resource_id", number: integer(PointExport.resourceColumn))
            writer.field("service_name", word: resource?.serviceName)
            writer.field("scope_name", word: scope?.name)
            writer.field("scope_version", word: scope?.version)
            writer.field("attributes", json: Array((points?.attributesText ?? "{}").utf8))
            Values.fields(rows, row: row, first: PointExport.values, to: &writer)
            writer.field("flags", number: rows.unsigned(row, PointExport.flags))
            writer.field(
                "resource_attributes", json: Array((resource?.attributesText ?? "{}").utf8))
        }
    }

    // MARK: OTLP

    static var otlpLists: (request: String, scopes: String, items: String) {
        (request: "resourceMetrics", scopes: "scopeMetrics", items: "metrics")
    }

    /// Points of one metric stand together in it.
    func otlp(_ rows: borrowing QueryResult, _ group: [Int], to writer: inout JSONWriter) {
        var ids: [Int64] = []
        var points: [Int64: [Int]] = [:]
        for row in group {
            let id = rows.integer(row: row, column: PointExport.metricID) ?? 0
            if points[id] == nil { ids.append(id) }
            points[id, default: []].append(row)
        }
        for id in ids {
            series.metrics[id]?.otlp(to: &writer) { writer in
                for row in points[id] ?? [] { otlp(rows, row, to: &writer) }
            }
        }
    }

    private func otlp(_ rows: borrowing QueryResult, _ row: Int, to writer: inout JSONWriter) {
        func integer(_ column: Int) -> Int64? { rows.integer(row: row, column: column) }
        writer.object { writer in
            writer.key("attributes")
            writer.otlp(
                integer(PointExport.seriesID).flatMap { series.all[$0] }?.attributes ?? [])
            if let start = integer(PointExport.startUnixNs) {
                writer.member("startTimeUnixNano", digits: start)
            }
            writer.member("timeUnixNano", digits: integer(PointExport.timeUnixNs))
            Values.otlp(rows, row: row, first: PointExport.values, to: &writer)
            writer.count("flags", rows.unsigned(row, PointExport.flags))
        }
    }
}

/// The fields of a point's record.
enum PointFields {
    static let number = ["value_int", "value_double"]
    static let total = ["count", "sum"]
    static let extremes = ["min", "max"]
    static let explicitBuckets = ["explicit_bounds", "bucket_counts"]
    static let exponentialBuckets = [
        "scale", "zero_count", "zero_threshold", "positive_offset", "positive_bucket_counts",
        "negative_offset", "negative_bucket_counts",
    ]
    static let quantiles = ["quantile_values"]
    static let exemplars = ["exemplars"]

    static let names =
        [
            "metric", "type", "unit", "temporality", "is_monotonic", "description",
            "time_unix_nano", "start_time_unix_nano", "series_id", "resource_id", "service_name",
            "scope_name", "scope_version", "attributes",
        ] + number + total + extremes + explicitBuckets + exponentialBuckets + quantiles
        + exemplars + ["flags", "resource_attributes"]
}

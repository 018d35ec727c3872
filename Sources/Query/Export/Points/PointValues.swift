// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Of gauges and sums.
enum NumberValues: PointValues {
    static let columns = ["fact.value_int", "fact.value_double", "fact.exemplars::text"]
    static let join = ""

    static func fields(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout some RecordWriter
    ) {
        writer.field("value_int", digits: rows.integer(row: row, column: first))
        writer.field("value_double", double: rows.double(row: row, column: first + 1))
        writer.lacks(
            PointFields.total + PointFields.extremes + PointFields.explicitBuckets
                + PointFields.exponentialBuckets + PointFields.quantiles)
        writer.field("exemplars", json: rows.json(row, first + 2, or: "[]"))
    }

    static func otlp(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout JSONWriter
    ) {
        if let value = rows.integer(row: row, column: first) {
            writer.member("asInt", digits: value)
        }
        writer.otlp("asDouble", rows.double(row: row, column: first + 1))
        writer.otlp(exemplars: rows, row, first + 2)
    }
}

enum HistogramValues: PointValues {
    static let columns = [
        "fact.count", "fact.sum", "fact.min", "fact.max", "bounds.explicit_bounds",
        "fact.bucket_counts", "fact.exemplars::text",
    ]
    static let join = "LEFT JOIN otel_histogram_bounds_dim AS bounds USING (bounds_id)"

    static func fields(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout some RecordWriter
    ) {
        writer.lacks(PointFields.number)
        writer.distribution(rows, row, first)
        writer.field("explicit_bounds", doubles: rows.doubles(row, first + 4))
        writer.field("bucket_counts", counts: rows.counts(row, first + 5) ?? [])
        writer.lacks(PointFields.exponentialBuckets + PointFields.quantiles)
        writer.field("exemplars", json: rows.json(row, first + 6, or: "[]"))
    }

    static func otlp(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout JSONWriter
    ) {
        writer.otlp(distribution: rows, row, first)
        writer.otlp("explicitBounds", doubles: rows.doubles(row, first + 4))
        writer.otlp("bucketCounts", counts: rows.counts(row, first + 5))
        writer.otlp(exemplars: rows, row, first + 6)
    }
}

enum ExponentialHistogramValues: PointValues {
    static let columns = [
        "fact.count", "fact.sum", "fact.min", "fact.max", "fact.scale", "fact.zero_count",
        "fact.zero_threshold", "fact.positive_offset", "fact.positive_bucket_counts",
        "fact.negative_offset", "fact.negative_bucket_counts", "fact.exemplars::text",
    ]
    static let join = ""

    static func fields(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout some RecordWriter
    ) {
        writer.lacks(PointFields.number)
        writer.distribution(rows, row, first)
        writer.lacks(PointFields.explicitBuckets)
        writer.field("scale", number: rows.integer(row: row, column: first + 4))
        writer.field("zero_count", count: rows.count(row, first + 5))
        writer.field("zero_threshold", double: rows.double(row: row, column: first + 6))
        for (name, column) in [("positive", first + 7), ("negative", first + 9)] {
            let offset = rows.integer(row: row, column: column)
            writer.field("\(name)_offset", number: offset)
            writer.field(
                "\(name)_bucket_counts",
                counts: offset == nil ? nil : rows.counts(row, column + 1) ?? [])
        }
        writer.lacks(PointFields.quantiles)
        writer.field("exemplars", json: rows.json(row, first + 11, or: "[]"))
    }

    static func otlp(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout JSONWriter
    ) {
        writer.otlp(distribution: rows, row, first)
        writer.count("scale", rows.integer(row: row, column: first + 4) ?? 0)
        writer.otlp("zeroCount", count: rows.count(row, first + 5))
        writer.otlp("zeroThreshold", rows.double(row: row, column: first + 6))
        for (name, column) in [("positive", first + 7), ("negative", first + 9)] {
            // Nil without the message, which may be empty.
            guard let offset = rows.integer(row: row, column: column) else { continue }
            writer.key(name)
            writer.object { writer in
                writer.count("offset", offset)
                writer.otlp("bucketCounts", counts: rows.counts(row, column + 1))
            }
        }
        writer.otlp(exemplars: rows, row, first + 11)
    }
}

enum SummaryValues: PointValues {
    static let columns = ["fact.count", "fact.sum", "fact.quantiles", "fact.quantile_values"]
    static let join = ""

    static func fields(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout some RecordWriter
    ) {
        writer.lacks(PointFields.number)
        writer.field("count", count: rows.count(row, first))
        writer.field("sum", double: rows.double(row: row, column: first + 1))
        writer.lacks(
            PointFields.extremes + PointFields.explicitBuckets + PointFields.exponentialBuckets)
        var json = JSONWriter()
        json.quantiles(rows, row, first + 2)
        writer.field("quantile_values", json: json.bytes)
        writer.lacks(PointFields.exemplars)
    }

    static func otlp(
        _ rows: borrowing QueryResult, row: Int, first: Int, to writer: inout JSONWriter
    ) {
        writer.otlp("count", count: rows.count(row, first))
        writer.otlp("sum", rows.double(row: row, column: first + 1))
        writer.key("quantileValues")
        writer.quantiles(rows, row, first + 2)
    }
}

extension RecordWriter {
    /// `PointFields.total` and `extremes`, out of four columns.
    fileprivate mutating func distribution(
        _ rows: borrowing QueryResult, _ row: Int, _ first: Int
    ) {
        field("count", count: rows.count(row, first))
        for (index, name) in ["sum", "min", "max"].enumerated() {
            field(name, double: rows.double(row: row, column: first + 1 + index))
        }
    }

    fileprivate mutating func field(_ name: String, count: UInt64?) {
        field(name, word: count.map { "\($0)" })
    }

    fileprivate mutating func field(_ name: String, doubles: [Double]?) {
        field(name, json: JSONWriter.list(doubles ?? []) { $0.double($1) })
    }

    /// Nil is null.
    fileprivate mutating func field(_ name: String, counts: [UInt64]?) {
        field(name, json: counts.map { JSONWriter.list($0) { $0.digits($1) } })
    }
}

extension JSONWriter {
    fileprivate static func list<Element>(
        _ elements: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.list { writer in for element in elements { write(&writer, element) } }
        return writer.bytes
    }

    /// Pairs, which OTLP and the API write the same way.
    fileprivate mutating func quantiles(
        _ rows: borrowing QueryResult, _ row: Int, _ first: Int
    ) {
        let (quantiles, values) = (rows.doubles(row, first), rows.doubles(row, first + 1))
        list { writer in
            for (quantile, value) in zip(quantiles ?? [], values ?? []) {
                writer.object { writer in
                    writer.key("quantile")
                    writer.double(quantile)
                    writer.key("value")
                    writer.double(value)
                }
            }
        }
    }

    // MARK: OTLP

    /// Left out where there is none.
    fileprivate mutating func otlp(_ name: String, _ value: Double?) {
        guard let value else { return }
        key(name)
        double(value)
    }

    fileprivate mutating func otlp(_ name: String, count: UInt64) {
        key(name)
        digits(count)
    }

    fileprivate mutating func otlp(_ name: String, doubles: [Double]?) {
        guard let doubles, !doubles.isEmpty else { return }
        key(name)
        list { writer in for value in doubles { writer.double(value) } }
    }

    fileprivate mutating func otlp(_ name: String, counts: [UInt64]?) {
        guard let counts, !counts.isEmpty else { return }
        key(name)
        list { writer in for count in counts { writer.digits(count) } }
    }

    fileprivate mutating func otlp(
        distribution rows: borrowing QueryResult, _ row: Int, _ first: Int
    ) {
        otlp("count", count: rows.count(row, first))
        for (index, name) in ["sum", "min", "max"].enumerated() {
            otlp(name, rows.double(row: row, column: first + 1 + index))
        }
    }

    fileprivate mutating func otlp(
        exemplars rows: borrowing QueryResult, _ row: Int, _ column: Int
    ) {
        guard let stored = rows.field(row, column), let forms = StoredJSON(stored)?.elements else {
            return
        }
        key("exemplars")
        list { writer in for form in forms { writer.exemplar(form) } }
    }

    /// Members that are 0 or empty are not stored.
    private mutating func exemplar(_ form: StoredJSON) {
        object { writer in
            if let attributes = form["attributes"] {
                writer.key("filteredAttributes")
                writer.otlp(Attribute.all(of: attributes))
            }
            if let time = form["time_unix_nano"]?.unsigned {
                writer.key("timeUnixNano")
                writer.digits(time)
            }
            if case .int(let digits)? = form["value_int"].map({ AttributeValue($0) }) {
                writer.member("asInt", digits)
            }
            if case .double(let text)? = form["value_double"].map({ AttributeValue($0) }) {
                writer.key("asDouble")
                writer.double(text)
            }
            writer.textUnlessEmpty("spanId", form["span_id"]?.text ?? "")
            writer.textUnlessEmpty("traceId", form["trace_id"]?.text ?? "")
        }
    }
}

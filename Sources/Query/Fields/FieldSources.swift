// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Where the names and values of fields are found, for completion: dimensions and columns are
/// complete, attributes without a column are those of a sample.
enum FieldSources {
    /// Rows of the sample, and how far back it goes.
    static let sampleRowCount = 2_000
    static let sampleNs: Int64 = 3_600_000_000_000

    /// The types that have tables of their own, with their values as text.
    static var typedTexts: [(type: String, text: String)] {
        MetricLabel.typedTexts.map { (type: $0.0, text: $0.1) }
    }

    /// The scopes of attributes that stand in typed tables, of items of `subject`.
    static func owners(
        of subject: FilterSubject
    ) -> [(scope: AttributeScope, tables: String, id: String)] {
        AttributeScope.allCases.filter { $0.exists(for: subject) }.compactMap { scope in
            MetricLabel.owners[scope.rawValue].map { (scope, $0.tables, $0.id) }
        }
    }

    /// The fact table of spans or log records, with the column of its time; nil for series, whose
    /// attributes are all in typed tables.
    static func fact(of subject: FilterSubject) -> (table: String, time: String, signal: String)? {
        switch subject {
        case .spans: ("otel_spans_fact", "start_time_unix_nano", "spans")
        case .logs: ("otel_logs_fact", "time_unix_nano", "logs")
        case .series: nil
        }
    }

    /// A subquery of some rows of the last hour, with the columns `columns`.
    static func sample(
        _ columns: String, of subject: FilterSubject, where condition: String,
        in statement: inout SQLStatement
    ) -> String? {
        guard let fact = fact(of: subject) else { return nil }
        let start = statement.bind(Int64(clamping: Clock.unixNs) - sampleNs)
        return "(SELECT \(columns) FROM \(fact.table) AS fact WHERE fact.\(fact.time) >= \(start)"
            + " AND \(condition) LIMIT \(sampleRowCount))"
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// The owners of attributes that have typed tables: each distinct one is stored once.
package enum AttributeDimension: String, CaseIterable, Sendable {
    case resource, scope, metrics

    fileprivate var dimension: String {
        switch self {
        case .resource: "otel_resources_dim"
        case .scope: "otel_scopes_dim"
        case .metrics: "otel_metric_series_dim"
        }
    }

    fileprivate func table(_ suffix: String) -> String {
        switch self {
        case .resource: "otel_resource_attrs_\(suffix)"
        case .scope: "otel_scope_attrs_\(suffix)"
        case .metrics: "otel_metric_series_attrs_\(suffix)"
        }
    }
}

/// An attribute of resources, scopes or metric series, by type of value.
package struct DimensionTally: Sendable, Equatable {
    package let key: String
    /// A type, or `other` for what typed tables do not take.
    package let kind: String
    /// Owners that have it, out of `ownerCount`; estimates where the table is large.
    package let count: Int64
    package let sizeBytes: Int64

    package init(key: String, kind: String, count: Int64, sizeBytes: Int64) {
        self.key = key
        self.kind = kind
        self.count = count
        self.sizeBytes = sizeBytes
    }

    /// Pages that are read of one table at most.
    private static let pageCountMax: Int64 = 2_000

    /// How many owners there are, and the attributes they have.
    package static func load(
        _ owner: AttributeDimension, on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> (ownerCount: Int64, tallies: [DimensionTally]) {
        let suffixes = AttributeType.allCases.map(\.rawValue) + ["other"]
        let tables = suffixes.map(owner.table) + [owner.dimension]
        let percents = try samplePercents(tables, on: &connection, deadlineNs: deadlineNs)
        var tallies: [DimensionTally] = []
        for (suffix, percent) in zip(suffixes, percents) {
            let sample = "\(owner.table(suffix)) \(Self.sample(percent))"
            let result = try connection.query(
                suffix == "other" ? otherQuery(sample) : typedQuery(sample), deadlineNs: deadlineNs)
            tallies += (0..<result.rowCount).map { row in
                func scaled(_ column: Int) -> Int64 {
                    let number = Double(result.integer(row: row, column: column) ?? 0)
                    return Int64((number * 100 / percent).rounded())
                }
                return DimensionTally(
                    key: result.string(row: row, column: 0), kind: suffix, count: scaled(1),
                    sizeBytes: scaled(2))
            }
        }
        let percent = percents[suffixes.count]
        let owners = try connection.query(
            "SELECT count(*) FROM \(owner.dimension) \(sample(percent))", deadlineNs: deadlineNs)
        let ownerCount = Double(owners.integer(row: 0, column: 0) ?? 0) * 100 / percent
        return (Int64(ownerCount.rounded()), tallies)
    }

    private static func typedQuery(_ sample: String) -> String {
        """
        SELECT key, count, size FROM (
            SELECT key_id, count(*), sum(pg_column_size(value))::int8 AS size
            FROM \(sample) GROUP BY key_id) AS tally
        JOIN attribute_keys USING (key_id) ORDER BY key COLLATE "C"
        """
    }

    private static func otherQuery(_ sample: String) -> String {
        """
        SELECT key, count(*), sum(pg_column_size(value))::int8
        FROM \(sample) CROSS JOIN LATERAL jsonb_each(attributes) GROUP BY key
        ORDER BY key COLLATE "C"
        """
    }

    private static func sample(_ percent: Double) -> String {
        percent < 100 ? "TABLESAMPLE SYSTEM (\(percent)) REPEATABLE (0)" : ""
    }

    /// Percent of each table's pages; above 0, up to 100.
    private static func samplePercents(
        _ tables: [String], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [Double] {
        var names = ArrayParameter(.text)
        for table in tables { names.append(table) }
        let result = try connection.query(
            """
            SELECT pg_relation_size(name::regclass) / current_setting('block_size')::int8
            FROM unnest($1::text[]) WITH ORDINALITY AS tables (name, position) ORDER BY position
            """, QueryParameters([names]), deadlineNs: deadlineNs)
        return (0..<result.rowCount).map { row in
            let pageCount = result.integer(row: row, column: 0) ?? 0
            guard pageCount > pageCountMax else { return 100 }
            return 100 * Double(pageCountMax) / Double(pageCount)
        }
    }
}

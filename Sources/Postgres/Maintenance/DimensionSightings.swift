// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The dimensions whose `last_seen` is kept: those that are few, and that people look for by time.
package enum SightedDimension: Int, CaseIterable, Sendable {
    case resources, scopes, metrics

    fileprivate var table: String {
        switch self {
        case .resources: "otel_resources_dim"
        case .scopes: "otel_scopes_dim"
        case .metrics: "otel_metrics_dim"
        }
    }

    fileprivate var idColumn: String {
        switch self {
        case .resources: "resource_id"
        case .scopes: "scope_id"
        case .metrics: "metric_id"
        }
    }
}

extension PGConnection {
    /// Ids per statement, which is a transaction of its own.
    private static let sightingsPerStatementMax = 1_000

    /// Sets `last_seen` of the rows that were seen and whose `last_seen` is older than
    /// `ageSeconds`; returns how many.
    ///
    /// In the order of the ids, and passing by what another daemon has locked: it writes the same.
    @discardableResult
    package mutating func noteSightings(
        of dimension: SightedDimension, ids: some Collection<Int64>, ageSeconds: Int = 3_600,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> Int {
        let (table, column) = (dimension.table, dimension.idColumn)
        var rest = ids.sorted()[...]
        var changedCount = 0
        while !rest.isEmpty {
            var some = ArrayParameter(.int8)
            for id in rest.prefix(PGConnection.sightingsPerStatementMax) { some.append(id) }
            rest = rest.dropFirst(PGConnection.sightingsPerStatementMax)
            changedCount += try query(
                """
                UPDATE \(table) AS dim SET last_seen = now()
                FROM (
                    SELECT \(column) FROM \(table)
                    WHERE \(column) = ANY ($1::int8[]::int4[])
                        AND last_seen < now() - interval '\(ageSeconds) seconds'
                    ORDER BY \(column) FOR UPDATE SKIP LOCKED
                ) AS seen
                WHERE dim.\(column) = seen.\(column)
                """, QueryParameters([some]), deadlineNs: deadlineNs
            ).affectedRowCount
        }
        return changedCount
    }
}

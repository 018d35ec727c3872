// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Calls, errors and durations by edge of the service map, added up over whole minutes.
///
/// Cost: reads the lists of each hour that is whole, and of the other minutes, a bounded part at a
/// time; 60 bytes per different edge.
struct EdgeTotals {
    struct Total {
        var callCount: Int64 = 0
        var errorCount: Int64 = 0
        var latencySumNs: Double = 0
    }

    /// Different edges that are told apart; what is beyond is left out.
    static let edgeCountMax = 200_000
    /// Edges that one statement fetches: 6 MB.
    private static let edgesPerStatementMax = 100_000

    /// By `edge_id`.
    private(set) var byEdge: [Int64: Total] = [:]
    /// Some edges with few calls are not in it.
    private(set) var isIncomplete: Bool
    private let periods: [ComputedPeriod]

    /// Of the minutes in `range` that have been computed. `wanted` are the only edges that are
    /// looked at, where it is given.
    ///
    /// All of its statements should see the same database.
    init(
        in range: TimeRange, only wanted: Set<Int64>? = nil, from session: inout ReadSession
    ) throws(QueryFailure) {
        let known = try ComputedPeriods.edges.known(in: range, from: &session)
        periods = known.periods
        isIncomplete = known.omittedCount > 0
        for statement in statements("edge_ids, call_counts, error_counts, latency_sums_nanos") {
            let rows = try session.query(statement)
            for row in 0..<rows.rowCount { add(rows, row: row, only: wanted) }
        }
    }

    private mutating func add(
        _ rows: borrowing QueryResult, row: Int, only wanted: Set<Int64>?
    ) {
        let edges = rows.integers(row, 0)
        let (calls, errors) = (rows.integers(row, 1), rows.integers(row, 2))
        let latencySums = rows.doubles(row, 3) ?? []
        precondition(
            calls.count == edges.count && errors.count == edges.count
                && latencySums.count == edges.count, "lists of edges differ in length")
        for (index, edge) in edges.enumerated() {
            if let wanted, !wanted.contains(edge) { continue }
            guard byEdge.count < EdgeTotals.edgeCountMax || byEdge[edge] != nil else {
                isIncomplete = true
                continue
            }
            byEdge[edge, default: Total()].add(
                callCount: calls[index], errorCount: errors[index],
                latencySumNs: latencySums[index])
        }
    }

    /// Those with most calls, these first; between equals, those that were seen first.
    func most(_ countMax: Int) -> [(edge: Int64, total: Total)] {
        let ordered = byEdge.sorted { one, other in
            one.value.callCount == other.value.callCount
                ? one.key < other.key : one.value.callCount > other.value.callCount
        }
        return ordered.prefix(countMax).map { (edge: $0.key, total: $0.value) }
    }

    /// Durations of some of the edges, by edge.
    ///
    /// Cost: reads the buckets of all; 2 kB for each that is wanted.
    func latencies(
        of edges: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) -> [Int64: LatencyHistogram] {
        var found = Dictionary(uniqueKeysWithValues: edges.map { ($0, LatencyHistogram()) })
        for statement in statements("edge_ids, latency_buckets") {
            let rows = try session.query(statement)
            for row in 0..<rows.rowCount {
                let edges = rows.integers(row, 0)
                rows.forEachByteString(row, 1) { index, packed in
                    // In place: a copy of a histogram is 2 kB.
                    found[edges[index]]?.add(packed: packed)
                }
            }
        }
        return found
    }

    /// Read `columns` of the hours and minutes.
    private func statements(_ columns: String) -> [SQLStatement] {
        let isHour = { (period: ComputedPeriod) in period.lengthNs == ServiceEdgeLimits.hourNs }
        let tables = [
            (periods.filter(isHour), "otel_service_hour_edges", "hour"),
            (periods.filter { !isHour($0) }, "otel_service_minute_edges", "minute"),
        ]
        return tables.flatMap { periods, table, column in
            ComputedPeriod.slices(
                of: periods, elementCountMax: EdgeTotals.edgesPerStatementMax
            ).map { slice in
                var statement = SQLStatement()
                let starts = statement.bind(slice.map(\.startUnixNs))
                statement.text = """
                    SELECT \(columns) FROM \(table) WHERE \(column) = ANY (
                        ARRAY(SELECT otel_time(start) FROM unnest(\(starts)) AS start))
                    """
                return statement
            }
        }
    }
}

extension EdgeTotals.Total {
    fileprivate mutating func add(callCount: Int64, errorCount: Int64, latencySumNs: Double) {
        self.callCount += callCount
        self.errorCount += errorCount
        self.latencySumNs += latencySumNs
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// The edges of the service map in a range of time: whole hours, and minutes for the rest.
///
/// All of its statements should see the same database. Cost: reads a row per hour or minute and
/// tenant, a bounded part at a time.
struct EdgeReading {
    /// Different edges that are told apart: 10 MB.
    static let edgeCountMax = 200_000
    /// Edges that one statement fetches: 4 MB.
    private static let edgesPerStatementMax = 100_000
    /// The same with their durations, or an hour or minute that has more: 31 MB for a tenant if all
    /// edges have all buckets, seldom a tenth of that.
    private static let latenciesPerStatementMax = 20_000

    private let computed: ComputedPeriods.Known

    /// Looks up which minutes and hours of `range` there are.
    init(in range: TimeRange, from session: inout ReadSession) throws(QueryFailure) {
        computed = try ComputedPeriods.edges.known(in: range, from: &session)
    }

    /// Edges with few calls were left out when they were computed.
    var isIncomplete: Bool { computed.omittedCount > 0 }

    /// From the first minute that there is to the end of those that follow it without a hole; nil
    /// where there is none.
    var firstKnown: TimeRange? {
        guard let first = computed.periods.first else { return nil }
        var endNs = first.endUnixNs
        for period in computed.periods.dropFirst() where period.startUnixNs == endNs {
            endNs = period.endUnixNs
        }
        return TimeRange(startUnixNs: first.startUnixNs, endUnixNs: endNs)
    }

    /// Calls, errors and sums of durations.
    func totals(from session: inout ReadSession) throws(QueryFailure) -> EdgeTotals {
        var totals = EdgeTotals(edgeCountMax: EdgeReading.edgeCountMax)
        for statement in statements("edges", edgeCountMax: EdgeReading.edgesPerStatementMax) {
            totals.add(try session.query(statement))
        }
        return totals
    }

    /// Durations of some of them.
    func latencies(
        of edges: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) -> EdgeLatencies {
        var latencies = EdgeLatencies(of: edges)
        for statement in statements(
            "edges, latency_buckets", edgeCountMax: EdgeReading.latenciesPerStatementMax)
        {
            latencies.add(try session.query(statement))
        }
        return latencies
    }

    /// Read `columns` of the hours and minutes.
    private func statements(_ columns: String, edgeCountMax: Int) -> [SQLStatement] {
        let isHour = { (period: ComputedPeriod) in period.lengthNs == ServiceEdgeLimits.hourNs }
        let tables = [
            (computed.periods.filter(isHour), "otel_service_hour_edges", "hour"),
            (computed.periods.filter { !isHour($0) }, "otel_service_minute_edges", "minute"),
        ]
        return tables.flatMap { periods, table, column in
            ComputedPeriod.slices(of: periods, elementCountMax: edgeCountMax).map { slice in
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

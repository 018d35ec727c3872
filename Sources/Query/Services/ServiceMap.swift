// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Who called whom over a range of time: whole minutes.
///
/// Cost: that of `EdgeReading`, and a row per edge that is answered.
package struct ServiceMap: Sendable {
    package static let edgeCountMax = 1_000

    private let asked: AskedTimeRange
    /// Only edges from or to the services of this name.
    private let service: String?

    package init(_ asked: AskedTimeRange, service: String?) {
        self.asked = asked
        self.service = service
    }

    /// An edge as it is answered.
    private struct Edge {
        let kind: String
        /// Places of the two nodes.
        let client: Int
        let server: Int
        let total: EdgeTotals.Total
        let latency: LatencyHistogram
    }

    private struct Found {
        var nodes = ServiceMapNodes()
        /// Those with most calls first.
        var edges: [Edge] = []
        /// There are more.
        var isCut = false
        var isIncomplete = false
        var completeUntilNs: Int64
    }

    private static let minuteNs = ServiceEdgeLimits.minuteNs

    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let exact = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try exact.check(widthNsMax: session.rangeNsMax)
        let range = ServiceMap.wholeMinutes(exact)
        // The same database for all statements: an hour takes the place of its minutes meanwhile.
        let found = try session.withSnapshot { (session) throws(QueryFailure) in
            try find(in: range, from: &session)
        }
        writer.object { writer in
            writer.member("start_time_unix_nano", digits: range.startUnixNs)
            writer.member("end_time_unix_nano", digits: range.endUnixNs)
            writer.member("complete_until_unix_nano", digits: found.completeUntilNs)
            writer.key("nodes")
            writer.list { found.nodes.write(to: &$0) }
            writer.key("edges")
            writer.list { writer in
                for edge in found.edges { ServiceMap.write(edge, of: found.nodes, to: &writer) }
            }
            writer.key("warnings")
            writer.list { ServiceMap.writeWarnings(found, in: range, to: &$0) }
        }
    }

    private static func wholeMinutes(_ range: TimeRange) -> TimeRange {
        let start = range.startUnixNs / minuteNs * minuteNs
        let end = (range.endUnixNs / minuteNs + (range.endUnixNs % minuteNs > 0 ? 1 : 0))
        return TimeRange(
            startUnixNs: start, endUnixNs: min(end, Int64.max / minuteNs) * minuteNs)
    }

    // MARK: Finding

    private func find(
        in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Found {
        let reading = try EdgeReading(in: range, from: &session)
        var found = Found(
            completeUntilNs: try ServiceMap.completeUntilNs(reading, in: range, from: &session))
        let totals = try reading.totals(from: &session)
        let ordered = try edges(
            totals.most(service == nil ? ServiceMap.edgeCountMax + 1 : .max), from: &session)
        let most = Array(ordered.prefix(ServiceMap.edgeCountMax))
        found.isCut = ordered.count > most.count
        found.isIncomplete = reading.isIncomplete || totals.isCut
        let latencies = try reading.latencies(of: most, from: &session)
        let names = try session.query(ServiceMap.nameStatement(of: most, totals))
        for row in 0..<names.rowCount {
            let edge = names.integer(row: row, column: 0) ?? 0
            let (kind, total) = (names.string(row: row, column: 1), totals[edge])
            let client = found.nodes.place(
                ofCaller: names.string(row: row, column: 2), names.string(row: row, column: 3))
            let server = found.nodes.place(
                ofCalleeOf: kind, names.string(row: row, column: 4),
                names.string(row: row, column: 5), total)
            found.edges.append(
                Edge(
                    kind: kind, client: client, server: server, total: total,
                    latency: latencies[edge]))
        }
        return found
    }

    /// Those of `edges` that lead from or to the service that is asked for, in their order; all,
    /// where none is.
    private func edges(
        _ edges: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) -> [Int64] {
        guard let service else { return edges }
        var statement = SQLStatement()
        let ids = statement.bind(edges)
        let name = statement.bind(service)
        statement.text = """
            SELECT edge_id FROM unnest(\(ids)) WITH ORDINALITY AS edge (edge_id, place)
            JOIN otel_service_edges_dim USING (edge_id)
            WHERE client_service = \(name) OR server_service = \(name) ORDER BY place
            """
        let rows = try session.query(statement)
        return (0..<rows.rowCount).compactMap { rows.integer(row: $0, column: 0) }
    }

    /// Edges and their names, in the order of the answer.
    private static func nameStatement(of edges: [Int64], _ totals: EdgeTotals) -> SQLStatement {
        var statement = SQLStatement()
        let ids = statement.bind(edges)
        let calls = statement.bind(edges.map { totals[$0].callCount })
        statement.text = """
            SELECT edge_id, \(ServiceEdgeSQL.names)
            FROM unnest(\(ids), \(calls)) AS edge (edge_id, call_count)
            JOIN otel_service_edges_dim USING (edge_id)
            ORDER BY call_count DESC, client_service COLLATE "C", server_service COLLATE "C",
                edge_id
            """
        return statement
    }

    /// Up to where the map has every minute of the range. Where minutes before the first that is
    /// known were never to be computed, nothing is missing.
    private static func completeUntilNs(
        _ reading: EdgeReading, in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Int64 {
        guard let known = reading.firstKnown else { return range.startUnixNs }
        guard known.startUnixNs > range.startUnixNs else { return known.endUnixNs }
        var statement = SQLStatement()
        let start = statement.bind(range.startUnixNs)
        statement.text = """
            SELECT EXISTS (SELECT FROM otel_service_edge_minutes WHERE minute < otel_time(\(start)))
            """
        let isOneBefore = try session.query(statement).bool(row: 0, column: 0) == true
        return isOneBefore ? range.startUnixNs : known.endUnixNs
    }

    // MARK: JSON

    private static func write(
        _ edge: Edge, of nodes: ServiceMapNodes, to writer: inout JSONWriter
    ) {
        let (calls, errors) = (edge.total.callCount, edge.total.errorCount)
        writer.object { writer in
            writer.member("kind", edge.kind)
            writer.member("client", nodes.id(of: edge.client))
            writer.member("server", nodes.id(of: edge.server))
            writer.member("calls", calls)
            writer.member("errors", errors)
            writer.key("error_rate")
            writer.decimal(calls == 0 ? 0 : Double(errors) / Double(calls))
            writer.key("mean_nanos")
            writer.decimal(edge.total.latencySumNs / Double(max(calls, 1)))
            writer.member("p50_nanos", digits: edge.latency.quantileNs(0.5))
            writer.member("p95_nanos", digits: edge.latency.quantileNs(0.95))
            writer.member("p99_nanos", digits: edge.latency.quantileNs(0.99))
        }
    }

    private static func writeWarnings(
        _ found: Found, in range: TimeRange, to writer: inout JSONWriter
    ) {
        if found.completeUntilNs < range.endUnixNs {
            writer.text(
                "the map has the minutes up to complete_until_unix_nano; a minute comes in when it "
                    + "has been over for a minute or two")
        }
        if found.isCut {
            writer.text(
                "there are more edges; these \(found.edges.count) have the most calls")
        }
        if found.isIncomplete {
            writer.text("some minutes had too many edges; those with the fewest calls are missing")
        }
    }
}

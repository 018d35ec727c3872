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
        let client: (namespace: String, service: String)
        let server: (namespace: String, service: String)
        let total: EdgeTotals.Total
        let latency: LatencyHistogram
    }

    private struct Found {
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
            writer.list { ServiceMap.writeNodes(of: found.edges, to: &$0) }
            writer.key("edges")
            writer.list { writer in
                for edge in found.edges { ServiceMap.write(edge, to: &writer) }
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
        var found = Found(
            completeUntilNs: try ServiceMap.completeUntilNs(in: range, from: &session))
        let reading = try EdgeReading(in: range, from: &session)
        let totals = try reading.totals(only: try wantedEdges(from: &session), from: &session)
        let most = totals.most(ServiceMap.edgeCountMax)
        found.isCut = totals.count > most.count
        found.isIncomplete = reading.isIncomplete || totals.isCut
        let latencies = try reading.latencies(of: most, from: &session)
        let names = try session.query(ServiceMap.nameStatement(of: most, totals))
        found.edges = (0..<names.rowCount).map { row in
            let edge = names.integer(row: row, column: 0) ?? 0
            return Edge(
                kind: names.string(row: row, column: 1),
                client: (names.string(row: row, column: 2), names.string(row: row, column: 3)),
                server: (names.string(row: row, column: 4), names.string(row: row, column: 5)),
                total: totals[edge], latency: latencies[edge])
        }
        return found
    }

    /// The edges from and to the service that is asked for; nil where none is.
    private func wantedEdges(
        from session: inout ReadSession
    ) throws(QueryFailure) -> Set<Int64>? {
        guard let service else { return nil }
        var statement = SQLStatement()
        let name = statement.bind(service)
        statement.text = """
            SELECT edge_id FROM otel_service_edges_dim
            WHERE client_service = \(name) OR server_service = \(name)
            """
        let rows = try session.query(statement)
        return Set((0..<rows.rowCount).compactMap { rows.integer(row: $0, column: 0) })
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
            ORDER BY call_count DESC, \(ServiceEdgeSQL.names)
            """
        return statement
    }

    /// Up to where the map has every minute of the range. Where minutes before the first that is
    /// known were never to be computed, nothing is missing.
    private static func completeUntilNs(
        in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> Int64 {
        var statement = SQLStatement()
        let (start, end) = (statement.bind(range.startUnixNs), statement.bind(range.endUnixNs))
        statement.text = """
            WITH known AS (
                SELECT minute FROM otel_service_edge_minutes
                WHERE minute >= otel_time(\(start)) AND minute < otel_time(\(end))
            )
            SELECT otel_unix_nano(min(minute) FILTER (WHERE NOT EXISTS (
                    SELECT FROM known AS next
                    WHERE next.minute = known.minute + interval '1 minute'))) + \(minuteNs),
                min(minute) > otel_time(\(start)) AND EXISTS (
                    SELECT FROM otel_service_edge_minutes WHERE minute < otel_time(\(start)))
            FROM known
            """
        let known = try session.query(statement)
        let beginsMissing = known.bool(row: 0, column: 1) == true
        return beginsMissing
            ? range.startUnixNs : known.integer(row: 0, column: 0) ?? range.startUnixNs
    }

    // MARK: JSON

    /// Whom an edge leads to, by its kind: what is none of these is a service.
    private static func nodeType(ofServerOf kind: String) -> String {
        ["database", "broker", "external"].contains(kind) ? kind : "service"
    }

    private static func nodeID(
        _ type: String, _ name: (namespace: String, service: String)
    ) -> String {
        "\(type):\(name.namespace)/\(name.service)"
    }

    private struct Node {
        let type: String
        let namespace: String
        let name: String
        var calls: Int64 = 0
        var errors: Int64 = 0
    }

    /// In the order in which edges name them; calls and errors are those of the edges to the node.
    private static func writeNodes(of edges: [Edge], to writer: inout JSONWriter) {
        var nodes: [Node] = []
        var places: [String: Int] = [:]
        func place(_ type: String, _ name: (namespace: String, service: String)) -> Int {
            let id = nodeID(type, name)
            if let place = places[id] { return place }
            places[id] = nodes.count
            nodes.append(Node(type: type, namespace: name.namespace, name: name.service))
            return nodes.count - 1
        }
        for edge in edges {
            _ = place("service", edge.client)
            let server = place(nodeType(ofServerOf: edge.kind), edge.server)
            nodes[server].calls += edge.total.callCount
            nodes[server].errors += edge.total.errorCount
        }
        for node in nodes {
            writer.object { writer in
                writer.member("id", nodeID(node.type, (node.namespace, node.name)))
                writer.member("type", node.type)
                writer.member("namespace", node.namespace)
                writer.member("name", node.name)
                writer.member("calls", node.calls)
                writer.member("errors", node.errors)
            }
        }
    }

    private static func write(_ edge: Edge, to writer: inout JSONWriter) {
        let (calls, errors) = (edge.total.callCount, edge.total.errorCount)
        writer.object { writer in
            writer.member("kind", edge.kind)
            writer.member("client", nodeID("service", edge.client))
            writer.member("server", nodeID(nodeType(ofServerOf: edge.kind), edge.server))
            writer.member("calls", calls)
            writer.member("errors", errors)
            writer.key("error_rate")
            writer.decimal(calls == 0 ? 0 : Double(errors) / Double(calls))
            writer.key("mean_nanos")
            writer.decimal(Double(edge.total.latencySumNs) / Double(max(calls, 1)))
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

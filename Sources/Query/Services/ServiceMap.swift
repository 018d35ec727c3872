// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Who called whom over a range of time, out of `otel_service_edges`: whole minutes.
package struct ServiceMap: Sendable {
    package static let edgeCountMax = 1_000

    private let asked: AskedTimeRange
    /// Only edges from or to the services of this name.
    private let service: String?

    package init(_ asked: AskedTimeRange, service: String?) {
        self.asked = asked
        self.service = service
    }

    private static let minuteNs: Int64 = 60_000_000_000

    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let exact = try asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try exact.check(widthNsMax: session.rangeNsMax)
        let range = ServiceMap.wholeMinutes(exact)
        let known = try session.query(ServiceMap.minuteStatement(range))
        let rows = try session.query(edgeStatement(range))
        let count = min(rows.rowCount, ServiceMap.edgeCountMax)
        let beginsMissing = known.bool(row: 0, column: 2) == true
        let completeUntilNs =
            beginsMissing
            ? range.startUnixNs : known.integer(row: 0, column: 0) ?? range.startUnixNs
        let omittedCount = known.integer(row: 0, column: 1) ?? 0
        writer.object { writer in
            writer.member("start_time_unix_nano", digits: range.startUnixNs)
            writer.member("end_time_unix_nano", digits: range.endUnixNs)
            writer.member("complete_until_unix_nano", digits: completeUntilNs)
            writer.key("nodes")
            writer.list { ServiceMap.writeNodes(rows, count: count, to: &$0) }
            writer.key("edges")
            writer.list { writer in
                for row in 0..<count { ServiceMap.writeEdge(rows, row: row, to: &writer) }
            }
            writer.key("warnings")
            writer.list { writer in
                if completeUntilNs < range.endUnixNs {
                    writer.text(
                        "the map has the minutes up to complete_until_unix_nano; a minute comes in "
                            + "when it has been over for a minute or two")
                }
                if rows.rowCount > count {
                    writer.text("there are more edges; these \(count) have the most calls")
                }
                if omittedCount > 0 {
                    writer.text(
                        "some minutes had too many edges; those with the fewest calls are missing")
                }
            }
        }
    }

    private static func wholeMinutes(_ range: TimeRange) -> TimeRange {
        let start = range.startUnixNs / minuteNs * minuteNs
        let end = (range.endUnixNs / minuteNs + (range.endUnixNs % minuteNs > 0 ? 1 : 0))
        return TimeRange(
            startUnixNs: start, endUnixNs: min(end, Int64.max / minuteNs) * minuteNs)
    }

    // MARK: SQL

    /// Up to where the map has every minute of the range, and edges left out. Where minutes before
    /// the first that is known were never to be computed, nothing is missing.
    private static func minuteStatement(_ range: TimeRange) -> SQLStatement {
        var statement = SQLStatement()
        let (start, end) = (statement.bind(range.startUnixNs), statement.bind(range.endUnixNs))
        statement.text = """
            WITH known AS (
                SELECT minute, omitted_edge_count FROM otel_service_edge_minutes
                WHERE minute >= otel_time(\(start)) AND minute < otel_time(\(end))
            )
            SELECT otel_unix_nano(min(minute) FILTER (WHERE NOT EXISTS (
                    SELECT FROM known AS next
                    WHERE next.minute = known.minute + interval '1 minute'))) + \(minuteNs),
                coalesce(sum(omitted_edge_count), 0)::int8,
                min(minute) > otel_time(\(start)) AND EXISTS (
                    SELECT FROM otel_service_edge_minutes WHERE minute < otel_time(\(start)))
            FROM known
            """
        return statement
    }

    private static let identity =
        "kind, client_namespace, client_service, server_namespace, server_service"

    private func edgeStatement(_ range: TimeRange) -> SQLStatement {
        var statement = SQLStatement()
        let (start, end) = (statement.bind(range.startUnixNs), statement.bind(range.endUnixNs))
        var condition = ""
        if let service {
            let name = statement.bind(service)
            condition = "AND (client_service = \(name) OR server_service = \(name))"
        }
        let identity = ServiceMap.identity
        statement.text = """
            WITH edge AS MATERIALIZED (
                SELECT * FROM otel_service_edges
                WHERE minute >= otel_time(\(start)) AND minute < otel_time(\(end)) \(condition)
            ), total AS (
                SELECT \(identity), sum(call_count)::int8 AS calls,
                    sum(error_count)::int8 AS errors, sum(latency_sum_nanos) AS latency
                FROM edge GROUP BY \(identity)
                ORDER BY calls DESC, \(identity) LIMIT \(ServiceMap.edgeCountMax + 1)
            ), bucket AS (
                SELECT \(identity), bucket, sum(count)::int8 AS count
                FROM edge CROSS JOIN LATERAL
                    unnest(latency_buckets, latency_bucket_counts) AS one (bucket, count)
                GROUP BY \(identity), bucket
            )
            SELECT kind, client_namespace, client_service, server_namespace, server_service, calls,
                errors, latency, string_agg(bucket::text, ',' ORDER BY bucket),
                string_agg(count::text, ',' ORDER BY bucket)
            FROM total JOIN bucket USING (\(identity))
            GROUP BY \(identity), calls, errors, latency
            ORDER BY calls DESC, \(identity)
            """
        return statement
    }

    // MARK: JSON

    /// Whom an edge leads to, by its kind: what is none of these is a service.
    private static func nodeType(ofServerOf kind: String) -> String {
        ["database", "broker", "external"].contains(kind) ? kind : "service"
    }

    private static func nodeID(_ type: String, _ namespace: String, _ name: String) -> String {
        "\(type):\(namespace)/\(name)"
    }

    private struct Node {
        let type: String
        let namespace: String
        let name: String
        var calls: Int64 = 0
        var errors: Int64 = 0
    }

    /// In the order in which edges name them; calls and errors are those of the edges to the node.
    private static func writeNodes(
        _ rows: borrowing QueryResult, count: Int, to writer: inout JSONWriter
    ) {
        var nodes: [Node] = []
        var places: [String: Int] = [:]
        func place(_ type: String, _ namespace: String, _ name: String) -> Int {
            let id = nodeID(type, namespace, name)
            if let place = places[id] { return place }
            places[id] = nodes.count
            nodes.append(Node(type: type, namespace: namespace, name: name))
            return nodes.count - 1
        }
        for row in 0..<count {
            let type = nodeType(ofServerOf: rows.string(row: row, column: 0))
            _ = place(
                "service", rows.string(row: row, column: 1), rows.string(row: row, column: 2))
            let server = place(
                type, rows.string(row: row, column: 3), rows.string(row: row, column: 4))
            nodes[server].calls += rows.integer(row: row, column: 5) ?? 0
            nodes[server].errors += rows.integer(row: row, column: 6) ?? 0
        }
        for node in nodes {
            writer.object { writer in
                writer.member("id", nodeID(node.type, node.namespace, node.name))
                writer.member("type", node.type)
                writer.member("namespace", node.namespace)
                writer.member("name", node.name)
                writer.member("calls", node.calls)
                writer.member("errors", node.errors)
            }
        }
    }

    private static func writeEdge(
        _ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter
    ) {
        let kind = rows.string(row: row, column: 0)
        let calls = rows.integer(row: row, column: 5) ?? 0
        let errors = rows.integer(row: row, column: 6) ?? 0
        let latency = LatencyHistogram(
            buckets: rows.string(row: row, column: 8), counts: rows.string(row: row, column: 9))
        writer.object { writer in
            writer.member("kind", kind)
            writer.member(
                "client",
                nodeID(
                    "service", rows.string(row: row, column: 1), rows.string(row: row, column: 2)))
            writer.member(
                "server",
                nodeID(
                    nodeType(ofServerOf: kind), rows.string(row: row, column: 3),
                    rows.string(row: row, column: 4)))
            writer.member("calls", calls)
            writer.member("errors", errors)
            writer.key("error_rate")
            writer.decimal(calls == 0 ? 0 : Double(errors) / Double(calls))
            writer.key("mean_nanos")
            writer.decimal((rows.double(row: row, column: 7) ?? 0) / Double(max(calls, 1)))
            writer.member("p50_nanos", digits: latency.quantileNs(0.5))
            writer.member("p95_nanos", digits: latency.quantileNs(0.95))
            writer.member("p99_nanos", digits: latency.quantileNs(0.99))
        }
    }
}

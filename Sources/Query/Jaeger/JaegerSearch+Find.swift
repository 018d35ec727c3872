// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Finds traces without putting them together: spans are read newest first, through the index of
/// each resource, until enough traces are seen.
extension JaegerSearch {
    /// Spans that are read in the first round.
    private static let batchSizeMin = 200
    /// And in the last ones.
    private static let batchSizeMax = 20_000
    private static let roundCountMax = 16

    struct Found {
        /// By their newest span that fits, newest first.
        var ids: [TraceID] = []
        var warnings: [String] = []
    }

    func find(from session: inout ReadSession) throws(QueryFailure) -> Found {
        guard limit > 0, startUnixNs <= endUnixNs else { return Found() }
        let compiler = FilterCompiler(.spans, try session.fieldCatalogue())
        var found = Found()
        var seen: Set<String> = []
        var endUnixNs = self.endUnixNs
        var batchSize = max(JaegerSearch.batchSizeMin, limit * 4)
        for _ in 0..<JaegerSearch.roundCountMax {
            let statement = batch(until: endUnixNs, batchSize, compiler)
            let rows = try session.query(statement)
            for row in 0..<rows.rowCount where seen.count < limit {
                let id = rows.string(row: row, column: 0)
                guard seen.insert(id).inserted, let id = TraceID(id) else { continue }
                found.ids.append(id)
            }
            guard seen.count < limit, rows.rowCount == batchSize else { return found }
            let last = rows.integer(row: rows.rowCount - 1, column: 1) ?? 0
            // Ends are read again, for spans that begin at the same time; unless they fill a batch.
            endUnixNs = last < endUnixNs ? last : last - 1
            batchSize = min(batchSize * 4, JaegerSearch.batchSizeMax)
        }
        found.warnings.append(
            "traces are large: not all of the time range was looked at; ask for a shorter one")
        return found
    }

    /// Traces and starts of the newest spans that fit.
    private func batch(
        until endUnixNs: Int64, _ count: Int, _ compiler: FilterCompiler
    ) -> SQLStatement {
        var statement = SQLStatement()
        let conditions = [
            "fact.resource_id = wanted.resource_id",
            "fact.start_time_unix_nano >= \(statement.bind(startUnixNs))",
            "fact.start_time_unix_nano <= \(statement.bind(endUnixNs))",
            compiler.condition(filter, in: &statement),
        ]
        statement.text = """
            SELECT otel_trace_id_hex(span.trace_id), span.start_time_unix_nano
            FROM otel_resources_dim AS wanted
            CROSS JOIN LATERAL (
                SELECT fact.trace_id, fact.start_time_unix_nano FROM \(compiler.source)
                WHERE \(conditions.joined(separator: "\n        AND "))
                ORDER BY fact.start_time_unix_nano DESC LIMIT \(count)) AS span
            WHERE \(resourceCondition(&statement))
            ORDER BY span.start_time_unix_nano DESC LIMIT \(count)
            """
        return statement
    }

    /// A resource that was last seen long before the range has no spans in it: it is noted when
    /// they arrive, some time apart, and spans may be dated a day ahead of that.
    private func resourceCondition(_ statement: inout SQLStatement) -> String {
        let reachNs: Int64 = 7 * 86_400_000_000_000
        let since = statement.bind(max(0, startUnixNs - reachNs))
        var condition = "wanted.last_seen >= otel_time(\(since))"
        switch service {
        case nil: break
        case JaegerTraces.noServiceName?: condition += " AND wanted.service_name IS NULL"
        case let service?:
            let name = statement.bind(service)
            condition += """
                 AND left(wanted.service_name, 200) = left(\(name), 200)
                AND wanted.service_name = \(name)
                """
        }
        return condition
    }
}

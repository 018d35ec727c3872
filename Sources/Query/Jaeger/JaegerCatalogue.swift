// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Services and operations as Jaeger's clients list them, out of the table of operations: the spans
/// themselves are not looked at.
package enum JaegerCatalogue {
    /// Entries of one list; what is beyond is left out.
    static let entryCountMax = 20_000

    /// An operation of a service.
    struct Operation {
        let name: String
        let kind: JaegerSpanKind?
    }

    /// Names of services that have sent spans, sorted.
    static func services(from session: inout ReadSession) throws(QueryFailure) -> [String] {
        var statement = SQLStatement()
        let none = statement.bind(JaegerTraces.noServiceName)
        // Steps from name to name through the index on (service, name), however many operations
        // there are. Names that are the same up to where the index cuts them are told apart below.
        statement.text = """
            WITH RECURSIVE step (prefix) AS (
                (SELECT left(service_name, 200) FROM otel_operations_dim
                    WHERE left(service_name, 200) IS NOT NULL
                    ORDER BY left(service_name, 200) LIMIT 1)
                UNION ALL
                SELECT (SELECT left(next.service_name, 200) FROM otel_operations_dim AS next
                    WHERE left(next.service_name, 200) > step.prefix
                    ORDER BY left(next.service_name, 200) LIMIT 1)
                FROM step WHERE step.prefix IS NOT NULL)
            SELECT prefix AS name FROM step WHERE length(prefix) < 200
            UNION ALL
            SELECT DISTINCT long.service_name FROM step
            JOIN otel_operations_dim AS long ON left(long.service_name, 200) = step.prefix
            WHERE length(step.prefix) = 200
            UNION ALL
            SELECT \(none) WHERE EXISTS (
                SELECT FROM otel_operations_dim WHERE service_name IS NULL)
            ORDER BY name LIMIT \(entryCountMax)
            """
        let rows = try session.query(statement)
        return (0..<rows.rowCount).map { rows.string(row: $0, column: 0) }
    }

    /// Of `service`, with `kind` where it is given, sorted. Spans without a kind count as internal
    /// ones.
    static func operations(
        of service: String, kind: JaegerSpanKind?, from session: inout ReadSession
    ) throws(QueryFailure) -> [Operation] {
        var statement = SQLStatement()
        var condition = "service_name IS NULL"
        if service != JaegerTraces.noServiceName {
            let name = statement.bind(service)
            condition = """
                left(service_name, 200) = left(\(name), 200) AND service_name = \(name)
                """
        }
        if let kind {
            condition += " AND kind_id IN (\(kind.rawValue)\(kind == .internalKind ? ", 0" : ""))"
        }
        statement.text = """
            SELECT DISTINCT name, kind_id FROM otel_operations_dim WHERE \(condition)
            ORDER BY name, kind_id LIMIT \(entryCountMax)
            """
        let rows = try session.query(statement)
        return (0..<rows.rowCount).map { row in
            Operation(
                name: rows.string(row: row, column: 0),
                kind: JaegerSpanKind(rawValue: rows.integer(row: row, column: 1) ?? 0))
        }
    }
}

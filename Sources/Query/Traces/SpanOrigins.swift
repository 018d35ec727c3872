// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What many spans have in common: resources and scopes, each read once.
struct SpanOrigins {
    struct Resource {
        /// Nil where there is no service.name, or none that is a string.
        let serviceName: String?
        let schemaURL: String
        let droppedAttributeCount: Int64
        let attributes: [Attribute]
    }

    struct Scope {
        let name: String
        let version: String
        let schemaURL: String
        let droppedAttributeCount: Int64
        let attributes: [Attribute]
    }

    private(set) var resources: [Int64: Resource] = [:]
    private(set) var scopes: [Int64: Scope] = [:]

    /// Of all spans of `traces`.
    init(
        of traces: borrowing StoredTraces, from session: inout ReadSession
    ) throws(QueryFailure) {
        try readResources(
            traces.ids(ofColumn: StoredSpan.Column.resourceID), from: &session)
        try readScopes(traces.ids(ofColumn: StoredSpan.Column.scopeID), from: &session)
    }

    private mutating func readResources(
        _ ids: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = """
            SELECT resource_id, service_name, schema_url, dropped_attributes_count,
                (\(MergedAttributes.ofResource(id: "resource.resource_id")))::text
            FROM otel_resources_dim AS resource
            WHERE resource_id = ANY (\(statement.bind(ids))::integer[])
            """
        let rows = try session.query(statement)
        for row in 0..<rows.rowCount {
            let dropped = rows.integer(row: row, column: 3) ?? 0
            resources[rows.integer(row: row, column: 0) ?? 0] = Resource(
                serviceName: rows.isNull(row: row, column: 1)
                    ? nil : rows.string(row: row, column: 1),
                schemaURL: rows.string(row: row, column: 2),
                droppedAttributeCount: Int64(UInt32(truncatingIfNeeded: dropped)),
                attributes: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 4))))
        }
    }

    private mutating func readScopes(
        _ ids: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) {
        guard !ids.isEmpty else { return }
        var statement = SQLStatement()
        statement.text = """
            SELECT scope_id, name, version, schema_url, dropped_attributes_count,
                (\(MergedAttributes.ofScope(id: "scope.scope_id")))::text
            FROM otel_scopes_dim AS scope
            WHERE scope_id = ANY (\(statement.bind(ids))::integer[])
            """
        let rows = try session.query(statement)
        for row in 0..<rows.rowCount {
            let dropped = rows.integer(row: row, column: 4) ?? 0
            scopes[rows.integer(row: row, column: 0) ?? 0] = Scope(
                name: rows.string(row: row, column: 1),
                version: rows.string(row: row, column: 2),
                schemaURL: rows.string(row: row, column: 3),
                droppedAttributeCount: Int64(UInt32(truncatingIfNeeded: dropped)),
                attributes: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 5))))
        }
    }
}

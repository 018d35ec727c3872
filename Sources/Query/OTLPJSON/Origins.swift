// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What many spans or log records have in common: resources and scopes, each read once.
struct Origins {
    struct Resource {
        /// Nil where there is no service.name, or none that is a string.
        let serviceName: String?
        let schemaURL: String
        let droppedAttributeCount: Int64
        let attributes: [Attribute]
        /// The attributes as JSON, in the form that the API shows them in.
        let attributesText: String
        let entities: [Entity]
    }

    /// What the attributes of a resource say something of.
    struct Entity {
        let schemaURL: String
        let type: String
        let idKeys: [String]
        let descriptionKeys: [String]

        /// Members that are empty are not stored.
        fileprivate init(_ form: StoredJSON) {
            schemaURL = form["schema_url"]?.text ?? ""
            type = form["type"]?.text ?? ""
            idKeys = (form["id_keys"]?.elements ?? []).map(\.text)
            descriptionKeys = (form["description_keys"]?.elements ?? []).map(\.text)
        }
    }

    struct Scope {
        let name: String
        /// Nil where the scope has none.
        let version: String?
        let schemaURL: String
        let droppedAttributeCount: Int64
        let attributes: [Attribute]
    }

    private(set) var resources: [Int64: Resource] = [:]
    private(set) var scopes: [Int64: Scope] = [:]

    /// Of nothing yet.
    init() {}

    /// Of all spans of `traces`.
    init(
        of traces: borrowing StoredTraces, from session: inout ReadSession
    ) throws(QueryFailure) {
        try readResources(
            traces.ids(ofColumn: StoredSpan.Column.resourceID), from: &session)
        try readScopes(traces.ids(ofColumn: StoredSpan.Column.scopeID), from: &session)
    }

    /// Reads those of the items in `rows` that are not known yet. Others may be forgotten.
    mutating func load(
        of rows: borrowing QueryResult, resourceColumn: Int, scopeColumn: Int,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        let wanted = resources.makeRoom(forIDsOf: rows, column: resourceColumn)
        let wantedScopes = scopes.makeRoom(forIDsOf: rows, column: scopeColumn)
        if !wanted.isEmpty { try readResources(wanted, from: &session) }
        try readScopes(wantedScopes, from: &session)
    }

    private mutating func readResources(
        _ ids: [Int64], from session: inout ReadSession
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = """
            SELECT resource_id, service_name, schema_url, dropped_attributes_count,
                (\(MergedAttributes.ofResource(id: "resource.resource_id")))::text,
                entity_refs::text
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
                attributes: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 4))),
                attributesText: rows.string(row: row, column: 4),
                entities: (StoredJSON(rows.bytes(row: row, column: 5))?.elements ?? [])
                    .map { Entity($0) })
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
                version: rows.isNull(row: row, column: 2)
                    ? nil : rows.string(row: row, column: 2),
                schemaURL: rows.string(row: row, column: 3),
                droppedAttributeCount: Int64(UInt32(truncatingIfNeeded: dropped)),
                attributes: Attribute.all(of: StoredJSON(rows.bytes(row: row, column: 5))))
        }
    }
}

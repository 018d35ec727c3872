// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The values of one field that are text, numbers or booleans, for completion.
package struct FieldValues: Sendable {
    private let field: String
    private let subject: FilterSubject
    private let prefix: String
    private let limit: PageLimit

    /// Those that begin with `prefix`; neither it nor `field` has a NUL character.
    package init(of field: String, _ subject: FilterSubject, prefix: String, limit: PageLimit) {
        self.field = field
        self.subject = subject
        self.prefix = prefix
        self.limit = limit
    }

    /// Writes them as one object, in the order of their bytes. Errors: `invalidParameter` for a
    /// field that does not exist, or whose values are too many to be listed.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        let source = try source(in: &statement, try session.fieldCatalogue())
        let begins = statement.bind(prefix)
        statement.text = """
            SELECT DISTINCT value COLLATE "C" FROM (\(source)) AS one (value)
            WHERE starts_with(value, \(begins)) ORDER BY 1 LIMIT \(limit.count + 1)
            """
        let rows = try session.query(statement)
        writer.object { writer in
            writer.key("values")
            writer.list { writer in
                for row in 0..<min(rows.rowCount, limit.count) {
                    writer.text(rows.bytes(row: row, column: 0))
                }
            }
            writer.key("warnings")
            writer.list { writer in
                if let warning = limit.warning { writer.text(warning) }
                if rows.rowCount > limit.count {
                    writer.text("there are more values; these are the first \(limit.count)")
                }
            }
        }
    }

    // MARK: Sources, each with the value as text

    private func source(
        in statement: inout SQLStatement, _ catalogue: FieldCatalogue
    ) throws(QueryFailure) -> String {
        if let known = IntrinsicField(rawValue: field), known.exists(for: subject) {
            return try source(of: known, in: &statement)
        }
        let parts = field.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty,
            let scope = AttributeScope(rawValue: String(parts[0])), scope.exists(for: subject)
        else { throw invalid("there is no field \"\(field)\" here; /api/fields lists them") }
        let key = String(parts[1])
        if let owner = FieldSources.owners(of: subject).first(where: { $0.scope == scope }) {
            let text = statement.bind(key)
            return FieldSources.typedTexts.map { type, value in
                "SELECT \(value) FROM \(owner.tables)_\(type) WHERE key_id ="
                    + " (SELECT key_id FROM attribute_keys WHERE key = \(text))"
            }.joined(separator: " UNION ALL ")
        }
        guard scope == .own(of: subject) else {
            throw invalid("values of \(scope.rawValue).KEY are not listed")
        }
        return sampled(key, catalogue.columns(of: key, in: scope).map(\.name), in: &statement)
    }

    private func source(
        of known: IntrinsicField, in statement: inout SQLStatement
    ) throws(QueryFailure) -> String {
        if case .named(let values) = known.kind {
            return "SELECT unnest(\(statement.bind(values.keys.sorted())))"
        }
        switch known {
        case .service: return "SELECT service_name FROM otel_resources_dim"
        case .serviceNamespace: return "SELECT service_namespace FROM otel_resources_dim"
        case .scopeName: return "SELECT name FROM otel_scopes_dim"
        case .scopeVersion: return "SELECT version FROM otel_scopes_dim"
        case .name:
            return subject == .series
                ? "SELECT name FROM otel_metrics_dim" : "SELECT name FROM otel_operations_dim"
        case .unit: return "SELECT unit FROM otel_metrics_dim"
        case .severityNumber: return "SELECT severity_number::text FROM log_severity_numbers"
        default: throw invalid("values of \(field) are not listed: there are too many")
        }
    }

    private func sampled(
        _ key: String, _ columns: [String], in statement: inout SQLStatement
    ) -> String {
        let member = "fact.attributes -> \(statement.bind(key))"
        let texts =
            columns.map { "fact.\($0)::text" }
            + [
                "CASE WHEN jsonb_typeof(\(member)) IN ('string', 'number', 'boolean')"
                    + " THEN (\(member)) #>> '{}' END"
            ]
        let value = "COALESCE(\(texts.joined(separator: ", ")))"
        let sample = FieldSources.sample(
            "\(value) AS value", of: subject, where: "\(value) IS NOT NULL", in: &statement)
        return "SELECT value FROM \(sample ?? "(SELECT NULL::text AS value)") AS sample"
    }

    private func invalid(_ detail: String) -> QueryFailure {
        QueryFailure(.invalidParameter, detail, pointer: "field")
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The fields that filters may name, for completion.
package struct FieldList: Sendable {
    private let subject: FilterSubject
    private let prefix: String
    private let limit: PageLimit

    /// Those that begin with `prefix`, which has no NUL character.
    package init(of subject: FilterSubject, prefix: String, limit: PageLimit) {
        self.subject = subject
        self.prefix = prefix
        self.limit = limit
    }

    /// Writes them as one object, in the order of their bytes, each with the types that its values
    /// have had.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        var statement = SQLStatement()
        let sources = intrinsic(in: &statement) + typed + columns + sampled(in: &statement)
        let begins = statement.bind(prefix)
        statement.text = """
            SELECT field, array_to_string(array_agg(DISTINCT type ORDER BY type), ','),
                bool_or(is_column)
            FROM (\(sources.joined(separator: " UNION ALL "))) AS named (field, type, is_column)
            WHERE starts_with(field, \(begins))
            GROUP BY field ORDER BY field COLLATE "C" LIMIT \(limit.count + 1)
            """
        let rows = try session.query(statement)
        writer.object { writer in
            writer.key("fields")
            writer.list { writer in
                for row in 0..<min(rows.rowCount, limit.count) {
                    FieldList.write(rows, row: row, to: &writer)
                }
            }
            writer.key("warnings")
            writer.list { writer in
                if let warning = limit.warning { writer.text(warning) }
                if rows.rowCount > limit.count {
                    writer.text("there are more fields; these are the first \(limit.count)")
                }
            }
        }
    }

    private static func write(
        _ rows: borrowing QueryResult, row: Int, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("field", text: 0, of: rows, row: row)
            writer.key("types")
            writer.list { writer in
                for type in rows.string(row: row, column: 1).split(separator: ",") {
                    writer.text(String(type))
                }
            }
            writer.key("is_column")
            writer.truth(rows.bool(row: row, column: 2) ?? false)
        }
    }

    // MARK: Sources, each with field, type, is_column

    private func intrinsic(in statement: inout SQLStatement) -> [String] {
        let fields = IntrinsicField.allCases.filter { $0.exists(for: subject) }
        let names = statement.bind(fields.map(\.rawValue))
        let types = statement.bind(
            fields.map { $0.kind == .integer || $0.kind == .duration ? "int" : "string" })
        return ["SELECT name, type, true FROM unnest(\(names), \(types)) AS own (name, type)"]
    }

    private var typed: [String] {
        FieldSources.owners(of: subject).flatMap { owner in
            FieldSources.typedTexts.map { type, _ in
                "SELECT '\(owner.scope.rawValue).' || key, '\(type)', false FROM attribute_keys"
                    + " WHERE key_id IN (SELECT key_id FROM \(owner.tables)_\(type))"
            }
        }
    }

    private var columns: [String] {
        guard let fact = FieldSources.fact(of: subject) else { return [] }
        let scope = AttributeScope.own(of: subject).rawValue
        return [
            "SELECT '\(scope).' || key, type, true FROM otel_attribute_columns"
                + " WHERE signal = '\(fact.signal)'"
        ]
    }

    private func sampled(in statement: inout SQLStatement) -> [String] {
        let sample = FieldSources.sample(
            "fact.attributes", of: subject, where: "fact.attributes IS NOT NULL", in: &statement)
        guard let sample else { return [] }
        let scope = AttributeScope.own(of: subject).rawValue
        return [
            """
            SELECT '\(scope).' || key, CASE jsonb_typeof(value) WHEN 'string' THEN 'string'
                WHEN 'boolean' THEN 'bool' WHEN 'number' THEN
                    CASE WHEN value::text ~ '[.eE]' THEN 'double' ELSE 'int' END
                ELSE 'other' END, false
            FROM \(sample) AS sample CROSS JOIN jsonb_each(sample.attributes) AS member (key, value)
            """
        ]
    }
}

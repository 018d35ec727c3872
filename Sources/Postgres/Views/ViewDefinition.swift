// SPDX-License-Identifier: Apache-2.0

/// Something of the schema that is made from nothing but this binary and the registry of promoted
/// attributes, so that it can be made again at any time: a view, a helper function, or a schema of
/// views.
///
/// Its COMMENT ends in a mark that tells which text it was made from. There it is gone with the
/// object and travels with it through a dump, which a row of a table does not.
struct ViewDefinition: Sendable, Equatable {
    /// With the word that SQL has for it.
    enum Kind: String, Sendable {
        case schema = "SCHEMA"
        case function = "FUNCTION"
        case view = "VIEW"
    }

    let kind: Kind
    /// With its schema, where that is not the one in which new objects are made.
    let name: String
    /// CREATE OR REPLACE, without a semicolon at the end.
    let createSQL: String
    /// For people.
    let comment: String
    /// Columns that are not self-evident, with what to say about them.
    let columnComments: [(column: String, comment: String)]

    static func == (left: ViewDefinition, right: ViewDefinition) -> Bool {
        left.sql == right.sql
    }

    /// Every statement that makes the object and describes it.
    var sql: String {
        var statements = [createSQL, commentSQL(comment + " " + mark)]
        for (column, comment) in columnComments {
            statements.append(
                "COMMENT ON COLUMN \(name).\(SQLText.identifier(column)) IS"
                    + " \(SQLText.literal(comment))")
        }
        return statements.joined(separator: ";\n")
    }

    /// What the COMMENT of an object made from this text ends in.
    var mark: String {
        let text = ([createSQL, comment] + columnComments.flatMap { [$0.column, $0.comment] })
            .joined(separator: "\u{0}")
        return ViewDefinition.mark(hash: ViewDefinition.hash(text))
    }

    /// What every mark begins with; by it the objects of this kind are known.
    static let markPrefix = "[definition "

    private static func mark(hash: UInt64) -> String {
        let digits = String(hash, radix: 16)
        return markPrefix + String(repeating: "0", count: 16 - digits.count) + digits + "]"
    }

    /// FNV-1a of 64 bits: enough to notice a change, and nobody gains by forging one.
    static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    private func commentSQL(_ text: String) -> String {
        "COMMENT ON \(kind.rawValue) \(name) IS \(SQLText.literal(text))"
    }
}

/// One column of a view: its name, what it is, and what is to be said about it.
struct ViewColumn: Sendable {
    let name: String
    let expression: String
    let comment: String?

    init(_ name: String, _ expression: String, _ comment: String? = nil) {
        self.name = name
        self.expression = expression
        self.comment = comment
    }
}

extension ViewDefinition {
    /// `source` begins after FROM and may end in a WHERE clause.
    static func view(
        _ name: String, _ comment: String, _ columns: [ViewColumn], from source: String
    ) -> ViewDefinition {
        let list = columns.map { "    \($0.expression) AS \(SQLText.identifier($0.name))" }
        return view(
            name, comment, columns,
            query: "SELECT\n" + list.joined(separator: ",\n") + "\nFROM " + source)
    }

    /// A view over any query with these columns.
    static func view(
        _ name: String, _ comment: String, _ columns: [ViewColumn], query: String
    ) -> ViewDefinition {
        ViewDefinition(
            kind: .view, name: name,
            createSQL: "CREATE OR REPLACE VIEW \(name) AS\n" + query, comment: comment,
            columnComments: columns.compactMap { column in
                column.comment.map { (column.name, $0) }
            })
    }

    /// A schema, or one of that name that is ours already. Whoever may not make it is told what to
    /// ask for; COMMENT refuses a schema that is somebody else's.
    static func schema(_ name: String, _ comment: String) -> ViewDefinition {
        ViewDefinition(
            kind: .schema, name: name,
            createSQL: """
                DO $$
                BEGIN
                    IF to_regnamespace('\(name)') IS NOT NULL THEN
                        RETURN;
                    ELSIF has_database_privilege(current_database(), 'CREATE') THEN
                        CREATE SCHEMA \(name);
                    ELSE
                        RAISE insufficient_privilege USING MESSAGE = format(
                            'the schema is missing and %I may not make it; have an administrator '
                            'of the database run CREATE SCHEMA \(name) AUTHORIZATION %1$I',
                            current_user);
                    END IF;
                END
                $$
                """, comment: comment, columnComments: [])
    }
}

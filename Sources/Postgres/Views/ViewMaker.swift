// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Brings the views and helper functions of a database to what this binary and the registry of
/// promoted attributes say.
///
/// Only what changed is touched, all of it in one transaction. Any number of daemons may do so at
/// once: an advisory lock lets them in one by one, and all but the first find nothing to do.
/// Thread: any; the connection is the caller's, outside a transaction.
package struct ViewMaker: Sendable {
    /// How long to wait for locks. A view that somebody has in an open transaction cannot be
    /// replaced; whoever queues behind us waits as long, hence short, and retried.
    static let lockTimeoutMs = 200

    /// Makes the views current and returns the names of what was made, changed or removed.
    ///
    /// Costs three look-ups where nothing changed. Call it after migrations, and after a change of
    /// `otel_attribute_columns`. Errors: `transient` when a lock was not to be had until
    /// `deadlineNs`; readers are never disturbed, and the views stay as they were. `fatal` when a
    /// view cannot be replaced because something that is not ours depends on it.
    @discardableResult
    package static func refresh(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [String] {
        var backoff = Backoff(minMs: 50, maxMs: 1_000)
        while try !outdated(on: &connection, deadlineNs: deadlineNs).isEmpty {
            let names = try connection.alone(.views, deadlineNs: deadlineNs) {
                connection throws(DatabaseError) in
                try change(on: &connection, deadlineNs: deadlineNs)
            }
            if let names { return names }
            // Another daemon is at it, and wants the same.
            guard Clock.monotonicNs < deadlineNs else {
                throw DatabaseError(
                    .timedOut, .transient,
                    message: "another session has been changing the views for too long")
            }
            if connection.stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
        }
        return []
    }

    /// Tries until it gets its locks.
    private static func change(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [String] {
        var manner = Manner.replacing
        var backoff = Backoff(minMs: 50, maxMs: 4_000)
        while true {
            do throws(DatabaseError) {
                return try attempt(manner, on: &connection, deadlineNs: deadlineNs)
            } catch {
                if manner == .replacing, isRefusedReplacement(error) {
                    manner = .recreating
                    continue
                }
                let isWorthRetry = error.disposition == .transient && connection.isUsable
                guard isWorthRetry, Clock.monotonicNs < deadlineNs else { throw error }
                if connection.stop.wait(delayMs: backoff.nextDelayMs()) { throw .stopped() }
            }
        }
    }

    /// The names of what `refresh` would make, change or remove. Changes nothing; takes no lock.
    package static func outdated(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [String] {
        let promoted = try PromotedAttribute.load(on: &connection, deadlineNs: deadlineNs)
        let wanted = ViewCatalogue.definitions(promoted: promoted)
        let present = try PresentView.load(on: &connection, deadlineNs: deadlineNs)
        return ViewPlan(wanted: wanted, present: present).names
    }
}

/// A view, function or schema in the database that bears our mark.
struct PresentView {
    let kind: ViewDefinition.Kind
    /// As in `ViewDefinition`.
    let name: String
    let mark: String
    /// `name`, for a function with its argument types; quoted as needed.
    let signature: String

    /// The oids of the schemas that may hold some: the one in which new objects are made, and ours.
    static let namespaces = """
        (SELECT pg_namespace.oid FROM pg_namespace
            WHERE nspname IN (current_schema(), \(SQLText.literal(GrafanaViews.schemaName))))
        """

    /// The schema as a prefix of names, where they need one.
    static func prefix(namespace: String) -> String {
        "CASE WHEN \(namespace) = quote_ident(current_schema())::regnamespace THEN '' "
            + "ELSE \(namespace)::regnamespace || '.' END"
    }

    static func load(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [PresentView] {
        let mark = SQLText.literal("\\[definition [0-9a-f]{16}\\]$")
        let result = try connection.query(
            """
            SELECT kind, name, substring(comment FROM \(mark)), signature
            FROM (
                SELECT 'VIEW', \(prefix(namespace: "relnamespace")) || relname,
                    obj_description(pg_class.oid, 'pg_class'), pg_class.oid::regclass::text
                FROM pg_class WHERE relkind = 'v' AND relnamespace IN \(namespaces)
                UNION ALL
                SELECT 'FUNCTION', \(prefix(namespace: "pronamespace")) || proname,
                    obj_description(pg_proc.oid, 'pg_proc'), pg_proc.oid::regprocedure::text
                FROM pg_proc WHERE pronamespace IN \(namespaces)
                UNION ALL
                SELECT 'SCHEMA', nspname, obj_description(pg_namespace.oid, 'pg_namespace'),
                    quote_ident(nspname)
                FROM pg_namespace WHERE pg_namespace.oid IN \(namespaces)
            ) AS objects (kind, name, comment, signature)
            WHERE comment ~ \(mark)
            ORDER BY kind DESC, name
            """, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { row in
            guard let kind = ViewDefinition.Kind(rawValue: result.string(row: row, column: 0))
            else { return nil }
            return PresentView(
                kind: kind, name: result.string(row: row, column: 1),
                mark: result.string(row: row, column: 2),
                signature: result.string(row: row, column: 3))
        }
    }
}

/// The difference between what should be and what is.
struct ViewPlan {
    /// To be made or replaced, in order.
    let changed: [ViewDefinition]
    /// Made by another version and of no more use.
    let obsolete: [PresentView]

    init(wanted: [ViewDefinition], present: [PresentView]) {
        let marks = Dictionary(
            present.map { ($0.name, $0.mark) }, uniquingKeysWith: { first, _ in first })
        changed = wanted.filter { marks[$0.name] != $0.mark }
        let names = Set(wanted.map(\.name))
        obsolete = present.filter { !names.contains($0.name) }
    }

    var names: [String] { changed.map(\.name) + obsolete.map(\.name) }
}

extension ViewMaker {
    private enum Manner {
        /// CREATE OR REPLACE of what changed: may only append columns.
        case replacing
        /// DROP of everything that bears our mark, and CREATE.
        case recreating
    }

    /// What the server says where columns of a view, or the type of a function, would change.
    private static func isRefusedReplacement(_ error: DatabaseError) -> Bool {
        error.sqlState == "42P16" || error.sqlState == "42P13"
    }

    /// One transaction: looks again, then does what is to be done.
    private static func attempt(
        _ manner: Manner, on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [String] {
        try connection.withTransaction(deadlineNs: deadlineNs) {
            connection throws(DatabaseError) in
            try connection.execute(
                "SET LOCAL lock_timeout = \(lockTimeoutMs)", deadlineNs: deadlineNs)
            let promoted = try PromotedAttribute.load(on: &connection, deadlineNs: deadlineNs)
            let wanted = ViewCatalogue.definitions(promoted: promoted)
            let present = try PresentView.load(on: &connection, deadlineNs: deadlineNs)
            let plan = ViewPlan(wanted: wanted, present: present)
            guard !plan.names.isEmpty else { return [] }
            try PromotedAttribute.registerKeys(
                of: promoted, on: &connection, deadlineNs: deadlineNs)
            switch manner {
            case .replacing:
                try drop(plan.obsolete, on: &connection, deadlineNs: deadlineNs)
                try create(plan.changed, on: &connection, deadlineNs: deadlineNs)
            case .recreating:
                let grants = try self.grants(on: &connection, deadlineNs: deadlineNs)
                try drop(present, on: &connection, deadlineNs: deadlineNs)
                try create(wanted, on: &connection, deadlineNs: deadlineNs)
                let names = Set(wanted.map(\.name))
                for grant in grants where names.contains(grant.view) {
                    try connection.execute(grant.sql, deadlineNs: deadlineNs)
                }
            }
            return plan.names
        }
    }

    private static func create(
        _ definitions: [ViewDefinition], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) {
        for definition in definitions {
            do throws(DatabaseError) {
                try connection.execute(definition.sql, deadlineNs: deadlineNs)
            } catch {
                throw error.about(definition.name)
            }
        }
    }

    /// All at once, because they may depend on one another. Never with CASCADE: what depends on
    /// them from outside is somebody else's. A schema stays, with what was granted there.
    private static func drop(
        _ views: [PresentView], on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) {
        for kind in [ViewDefinition.Kind.view, .function] {
            let signatures = views.filter { $0.kind == kind }.map(\.signature)
            guard !signatures.isEmpty else { continue }
            do throws(DatabaseError) {
                try connection.execute(
                    "DROP \(kind.rawValue) \(signatures.joined(separator: ", "))",
                    deadlineNs: deadlineNs)
            } catch {
                throw error.about("dropping views to make them again")
            }
        }
    }

    /// What others than the owner may do with our views, as statements.
    private static func grants(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) -> [(view: String, sql: String)] {
        let result = try connection.query(
            """
            SELECT \(PresentView.prefix(namespace: "relnamespace")) || relname,
                format('GRANT %s ON %s TO %s%s', privilege_type, pg_class.oid::regclass,
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
            FROM pg_class CROSS JOIN LATERAL aclexplode(relacl)
            WHERE relkind = 'v' AND grantee <> relowner
                AND relnamespace IN \(PresentView.namespaces)
                AND position(\(SQLText.literal(ViewDefinition.markPrefix))
                    IN obj_description(pg_class.oid, 'pg_class')) > 0
            """, deadlineNs: deadlineNs)
        return (0..<result.rowCount).map { row in
            (result.string(row: row, column: 0), result.string(row: row, column: 1))
        }
    }
}

extension DatabaseError {
    /// The same error, saying what it befell.
    fileprivate func about(_ subject: String) -> DatabaseError {
        DatabaseError(code, disposition, sqlState: sqlState, message: "\(subject): \(message)")
    }
}

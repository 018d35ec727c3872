// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Why a question has no answer, for whoever asked it.
package struct QueryFailure: Error, Sendable, Equatable {
    /// What kind of failure; the raw value is the stable name by which programs know it.
    package enum Kind: String, CaseIterable, Sendable {
        /// A parameter or a member of the body is missing, unknown or not what it may be.
        case invalidParameter = "invalid-parameter"
        /// A filter names a field or operator that does not exist, or a value of another type.
        case invalidFilter = "invalid-filter"
        /// The cursor belongs to another question.
        case cursorMismatch = "cursor-mismatch"
        /// The range of time is longer than one question may cover.
        case rangeTooWide = "range-too-wide"
        /// There is no such trace, metric, ...
        case notFound = "not-found"
        /// The body is larger than one may be.
        case bodyTooLarge = "body-too-large"
        /// The database did not finish in `query.statement_timeout`.
        case queryTimeout = "query-timeout"
        /// As many wait for a reader as may.
        case tooManyQueries = "too-many-queries"
        /// The database does not answer.
        case databaseUnavailable = "database-unavailable"
        /// The schema of the database is not that of this version.
        case migrating
        /// Whoever asked is gone.
        case cancelled
        /// A defect of this program, or of the database.
        case failed
    }

    package let kind: Kind
    /// One sentence with the remedy.
    package let detail: String
    /// Which parameter, or which member of the body as a JSON pointer (RFC 6901); nil where the
    /// failure is of no single one.
    package var pointer: String?
    /// When it is worth asking again; nil where it is not.
    package var retryAfterSeconds: Int?

    package init(
        _ kind: Kind, _ detail: String, pointer: String? = nil, retryAfterSeconds: Int? = nil
    ) {
        self.kind = kind
        self.detail = detail
        self.pointer = pointer
        self.retryAfterSeconds = retryAfterSeconds
    }
}

extension QueryFailure {
    private static let retryAfterSeconds = 2

    /// What an error of the database means to whoever asked. `isInterrupted` says that they left.
    init(_ error: DatabaseError, isInterrupted: Bool) {
        guard !isInterrupted else {
            self.init(.cancelled, "the client left")
            return
        }
        switch (error.sqlState, error.disposition) {
        case ("57014", _):  // query_canceled
            self.init(
                .queryTimeout,
                "the database did not finish in query.statement_timeout; ask for a shorter time "
                    + "range or a narrower filter")
        case ("42P01", _), ("42703", _), ("42883", _), ("3F000", _):
            // undefined_table, undefined_column, undefined_function, invalid_schema_name
            self.init(
                .migrating,
                "the schema of the database is not that of this version (\(error.message)); run "
                    + "`starling migrate`", retryAfterSeconds: QueryFailure.retryAfterSeconds)
        case ("2201B", _):  // invalid_regular_expression
            self.init(.invalidFilter, error.message)
        case (_, .reconnect), (_, .transient), (_, .stopped):
            self.init(
                .databaseUnavailable, "the database does not answer: \(error.message)",
                retryAfterSeconds: QueryFailure.retryAfterSeconds)
        default:
            self.init(.failed, "the database refused: \(error.message)")
        }
    }
}

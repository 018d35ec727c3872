// SPDX-License-Identifier: Apache-2.0

/// Why something asked of the database did not happen, and what to do next.
///
/// Holds no row content, so it may be logged and shown to clients.
package struct DatabaseError: Error, Sendable, Equatable {
    /// What happened.
    package enum Code: Sendable, Equatable {
        /// No session could be opened.
        case connectFailed
        /// The session ended, or can no longer be used.
        case connectionLost
        /// The deadline of the caller passed; the session can no longer be used.
        case timedOut
        /// The stop signal fired; the session can no longer be used.
        case stopped
        /// The server answered with an error.
        case rejectedByServer
        /// The server answered what nothing here asked for, or libpq could not allocate.
        case unexpectedAnswer
        /// What is to be stored is more than a value can hold.
        case contentTooLarge
        /// The settings cannot be used as they are.
        case badSettings
    }

    /// What the caller does next.
    package enum Disposition: Sendable, Equatable {
        /// Open a new session (maybe to another host), forget what was learned from the database,
        /// and send the whole batch again.
        case reconnect
        /// Roll back, wait a little, send the same again.
        case transient
        /// Set row `rowNumber` (counted from 1 in the order sent) of `table` aside, send the rest
        /// again.
        case rejectedRow(table: String, rowNumber: Int)
        /// The content was refused and no row is named: bisect.
        case rejectedContent
        /// Make the partition that the row needs, then send the same again.
        case missingPartition(table: String)
        /// Another transaction, which does not end, has noted one of the same exports: send the
        /// others without it, and it later.
        case heldElsewhere
        /// A column is not, or no longer, there: look up which there are, then encode and send
        /// again.
        case missingColumn
        /// Schema, permission or configuration: a person has to act. Trying again later is
        /// harmless.
        case fatal
        /// The daemon is stopping: give up.
        case stopped
    }

    package let code: Code
    package let disposition: Disposition
    /// Five characters, where the server gave them.
    package let sqlState: String?
    /// The primary message of the server or of libpq, at most `messageSizeBytesMax` bytes.
    package let message: String
    /// True when COMMIT was sent and its answer never came: the transaction may stand or not.
    package var commitOutcomeUnknown = false
    /// Offset in characters, from 1, of the fault in the statement text, where the server gave one.
    var statementPosition: Int?

    package static let messageSizeBytesMax = 300

    init(
        _ code: Code, _ disposition: Disposition, sqlState: String? = nil, message: String
    ) {
        self.code = code
        self.disposition = disposition
        self.sqlState = sqlState
        self.message = message
    }

    /// From what the server reported; `isConnectionUsable` is libpq's view after the report.
    init(_ report: ServerReport, copyTable: String?, isConnectionUsable: Bool) {
        let row = report.context.flatMap { CopyRowContext(parsing: $0, table: copyTable) }
        disposition = classify(report, row: row, isConnectionUsable: isConnectionUsable)
        code = disposition == .reconnect ? .connectionLost : .rejectedByServer
        sqlState = report.sqlState
        message = report.boundedMessage
        statementPosition = report.statementPosition
    }

    /// The same error, of a statement that notes exports.
    var ofNoting: DatabaseError {
        guard sqlState == "55P03" else { return self }
        return DatabaseError(code, .heldElsewhere, sqlState: sqlState, message: message)
    }

    static func stopped() -> DatabaseError {
        DatabaseError(.stopped, .stopped, message: "stopping")
    }

    static func timedOut(_ doing: String) -> DatabaseError {
        DatabaseError(.timedOut, .reconnect, message: "timed out while \(doing)")
    }

    /// The same error, for a statement after which nobody knows what became of the transaction.
    ///
    /// A server that answers COMMIT with an ordinary error has rolled back; one that went away has
    /// not said.
    func duringCommit() -> DatabaseError {
        var copy = self
        copy.commitOutcomeUnknown = disposition == .reconnect || disposition == .stopped
        return copy
    }
}

extension DatabaseError: CustomStringConvertible {
    package var description: String {
        let state = sqlState.map { " (SQLSTATE \($0))" } ?? ""
        let doubt = commitOutcomeUnknown ? "; the outcome of COMMIT is unknown" : ""
        return message + state + doubt
    }
}

/// The fields of an ErrorResponse that this module looks at.
struct ServerReport: Equatable {
    var sqlState: String?
    var primaryMessage: String
    var context: String?
    var tableName: String?
    var constraintName: String?
    var statementPosition: Int?

    /// The primary message without quoted input, at most `DatabaseError.messageSizeBytesMax` bytes.
    ///
    /// Input functions (class 22) repeat what they could not read after `: "`.
    var boundedMessage: String {
        var text = Substring(primaryMessage)
        if let sqlState, sqlState.hasPrefix("22"), let cut = ServerReport.quotedInputStart(text) {
            text = text[..<cut]
        }
        return ServerReport.cut(text)
    }

    private static func quotedInputStart(_ text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix(": \"") { return index }
            index = text.index(after: index)
        }
        return nil
    }

    /// The first line of `text`, cut at a character boundary.
    static func cut(_ text: Substring) -> String {
        var sizeBytes = 0
        let line = text.drop { $0.isWhitespace }.prefix { !$0.isNewline }
        let kept = line.prefix { character in
            sizeBytes += character.utf8.count
            return sizeBytes <= DatabaseError.messageSizeBytesMax
        }
        return String(kept)
    }
}

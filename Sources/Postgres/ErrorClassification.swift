// SPDX-License-Identifier: Apache-2.0

/// Decides what an error of the server asks of the caller. The one place where SQLSTATEs are
/// judged.
///
/// `row` is the row that the error context names, if any. Codes: PostgreSQL documentation, appendix
/// A.
func classify(
    _ report: ServerReport, row: CopyRowContext?, isConnectionUsable: Bool
) -> DatabaseError.Disposition {
    // Without a code the message is libpq's own: it speaks of the connection or of its misuse, and
    // either way that connection is done with.
    guard let sqlState = report.sqlState, sqlState.utf8.count == 5 else { return .reconnect }
    let judged =
        classifyExact(sqlState, report, row: row)
        ?? classifyClass(String(sqlState.prefix(2)), row: row)
    // A FATAL error took the session with it: what is worth a retry needs a new one first.
    return judged == .transient && !isConnectionUsable ? .reconnect : judged
}

/// The codes that differ from the rest of their class.
private func classifyExact(
    _ sqlState: String, _ report: ServerReport, row: CopyRowContext?
) -> DatabaseError.Disposition? {
    switch sqlState {
    case "08P01":  // protocol_violation: a field of a wrong binary length, if a row is named
        return row.map { .rejectedRow(table: $0.table, rowNumber: $0.rowNumber) } ?? .reconnect
    case "23514" where report.constraintName == nil:
        // check_violation without a constraint: "no partition of relation ... found for row".
        return .missingPartition(table: report.tableName ?? row?.table ?? "")
    case "23503":  // foreign_key_violation: ids learned from this database are no longer in it
        return .reconnect
    case "25006":  // read_only_sql_transaction: a standby, or a primary that was demoted
        return .reconnect
    case "26000", "42P05":  // a prepared statement is not there, or there already: a pooler's work
        return .transient
    case "25P02":  // in_failed_sql_transaction: roll back and start over
        return .transient
    case "25P03", "25P04":  // idle_in_transaction_session_timeout, transaction_timeout
        return .reconnect
    case "55P03", "55006":  // lock_not_available, object_in_use
        return .transient
    case "57014":  // query_canceled: statement_timeout, or a person
        return .transient
    case "XX000":  // internal_error
        // A quota that is reached (EDQUOT, EFBIG) has no code of its own, and comes with the row
        // at which the server was: only what is known to speak of content does.
        guard let row, report.primaryMessage.hasPrefix("unsupported jsonb version") else {
            return .transient
        }
        return .rejectedRow(table: row.table, rowNumber: row.rowNumber)
    case "42703":  // undefined_column: those of attributes are not what they were
        return .missingColumn
    case "42804":  // datatype_mismatch: our columns against the table's, true of every row
        return .fatal
    default:
        return nil
    }
}

private func classifyClass(_ sqlClass: String, row: CopyRowContext?) -> DatabaseError.Disposition {
    switch sqlClass {
    case "08", "57":  // connection exception, operator intervention (shutdown, crash, start-up)
        return .reconnect
    case "53", "40", "58":  // insufficient resources, rollback, system error (disk)
        return .transient
    case "22", "23", "54", "P0":  // data, constraint, program limit, a trigger's own objection
        return row.map { .rejectedRow(table: $0.table, rowNumber: $0.rowNumber) }
            ?? .rejectedContent
    default:  // syntax, schema, privilege, authentication, corruption (XX001)
        return .fatal
    }
}

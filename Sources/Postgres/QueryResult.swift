// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLibPQ

/// Sole owner of one result of libpq. Values are in PostgreSQL's binary format.
///
/// Slices that it hands out are valid for as long as it lives. Thread: that of the connection.
@safe
package struct QueryResult: ~Copyable {
    private let raw: OpaquePointer

    init(owning raw: OpaquePointer) { unsafe self.raw = raw }

    deinit { unsafe PQclear(raw) }

    package var rowCount: Int { Int(unsafe PQntuples(raw)) }
    package var columnCount: Int { Int(unsafe PQnfields(raw)) }

    /// The rows that the command touched, from its tag (`INSERT 0 5`); 0 where the tag has none.
    package var affectedRowCount: Int {
        guard let text = unsafe PQcmdTuples(raw) else { return 0 }
        return unsafe Int(String(cString: text)) ?? 0
    }

    /// The command as the server names it (`COMMIT`, `COPY 5`).
    package var commandTag: String {
        guard let text = unsafe PQcmdStatus(raw) else { return "" }
        return unsafe String(cString: text)
    }

    package func isNull(row: Int, column: Int) -> Bool {
        checkBounds(row: row, column: column)
        return unsafe PQgetisnull(raw, Int32(row), Int32(column)) == 1
    }

    /// The bytes of a field; empty for NULL.
    package func bytes(row: Int, column: Int) -> ByteSlice {
        checkBounds(row: row, column: column)
        let base = unsafe PQgetvalue(raw, Int32(row), Int32(column))
        let count = Int(unsafe PQgetlength(raw, Int32(row), Int32(column)))
        return unsafe ByteSlice(base: UnsafeRawPointer(base), count: count)
    }

    /// A field of type text.
    package func string(row: Int, column: Int) -> String { bytes(row: row, column: column).string }

    /// A field of type int2, int4 or int8; nil for NULL.
    package func integer(row: Int, column: Int) -> Int64? {
        guard !isNull(row: row, column: column) else { return nil }
        let slice = bytes(row: row, column: column)
        switch slice.count {
        case 2: return Int64(slice.bigEndian(at: 0, as: Int16.self))
        case 4: return Int64(slice.bigEndian(at: 0, as: Int32.self))
        case 8: return slice.bigEndian(at: 0, as: Int64.self)
        default: preconditionFailure("column \(column) is not an integer")
        }
    }

    /// A field of type float8; nil for NULL.
    package func double(row: Int, column: Int) -> Double? {
        guard !isNull(row: row, column: column) else { return nil }
        let slice = bytes(row: row, column: column)
        precondition(slice.count == 8, "column \(column) is not a double")
        return Double(bitPattern: slice.bigEndian(at: 0, as: UInt64.self))
    }

    /// A field of type bool; nil for NULL.
    package func bool(row: Int, column: Int) -> Bool? {
        guard !isNull(row: row, column: column) else { return nil }
        let slice = bytes(row: row, column: column)
        precondition(slice.count == 1, "column \(column) is not a boolean")
        return slice[0] != 0
    }

    private func checkBounds(row: Int, column: Int) {
        precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount)
    }

    var status: ExecStatusType { unsafe PQresultStatus(raw) }

    var report: ServerReport { unsafe ServerReport(result: raw) }
}

/// The field codes of postgres_ext.h (PG_DIAG_...), which Swift cannot import: they are character
/// macros.
private enum ReportField: Unicode.Scalar {
    case sqlState = "C"
    case messagePrimary = "M"
    case context = "W"
    case tableName = "t"
    case constraintName = "n"
    case statementPosition = "P"
}

extension ServerReport {
    init(result: OpaquePointer) {
        func field(_ code: ReportField) -> String? {
            let text = unsafe PQresultErrorField(result, Int32(code.rawValue.value))
            return unsafe text.map { unsafe String(cString: $0) }
        }
        let whole = unsafe PQresultErrorMessage(result).map { unsafe String(cString: $0) }
        self.init(
            sqlState: field(.sqlState), primaryMessage: field(.messagePrimary) ?? whole ?? "",
            context: field(.context), tableName: field(.tableName),
            constraintName: field(.constraintName),
            statementPosition: field(.statementPosition).flatMap { Int($0) })
    }
}

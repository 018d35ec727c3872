// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// Members of an object from the columns of a row; NULL becomes null.
extension JSONWriter {
    package mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { text(value) } else { null() }
    }

    package mutating func member(_ name: String, _ value: Int64?) {
        key(name)
        if let value { number(value) } else { null() }
    }

    /// A list of texts.
    package mutating func member(_ name: String, _ values: [String]) {
        key(name)
        list { writer in for value in values { writer.text(value) } }
    }

    /// 64 bits, as a string of digits.
    package mutating func member(_ name: String, digits value: Int64?) {
        key(name)
        if let value { digits(value) } else { null() }
    }

    package mutating func member(
        _ name: String, text column: Int, of rows: borrowing QueryResult, row: Int
    ) {
        key(name)
        if rows.isNull(row: row, column: column) {
            null()
        } else {
            text(rows.bytes(row: row, column: column))
        }
    }

    /// Of a column that holds JSON as text.
    package mutating func member(
        _ name: String, json column: Int, of rows: borrowing QueryResult, row: Int
    ) {
        key(name)
        if rows.isNull(row: row, column: column) {
            null()
        } else {
            json(rows.bytes(row: row, column: column))
        }
    }

    package mutating func member(
        _ name: String, number column: Int, of rows: borrowing QueryResult, row: Int
    ) {
        member(name, rows.integer(row: row, column: column))
    }

    package mutating func member(
        _ name: String, digits column: Int, of rows: borrowing QueryResult, row: Int
    ) {
        member(name, digits: rows.integer(row: row, column: column))
    }
}

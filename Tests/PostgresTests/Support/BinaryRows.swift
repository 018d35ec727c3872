// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Postgres

/// A COPY BINARY stream for tests, in memory that lives as long as it does.
@safe
final class BinaryRows {
    private var bytes: [UInt8] =
        Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    private var storage: UnsafeMutableRawBufferPointer?

    deinit { unsafe storage?.deallocate() }

    /// Appends one row; nil is NULL.
    func append(_ fields: [[UInt8]?]) {
        bytes.appendBigEndian(Int16(fields.count))
        for field in fields {
            bytes.appendBigEndian(Int32(field?.count ?? -1))
            bytes.append(contentsOf: field ?? [])
        }
    }

    /// The stream in one piece. Call once, when all rows are there.
    func slice() -> ByteSlice {
        precondition(unsafe storage == nil)
        bytes.appendBigEndian(Int16(-1))
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe copy.copyBytes(from: bytes)
        unsafe storage = copy
        return unsafe ByteSlice(UnsafeRawBufferPointer(copy))
    }

    func source(table: String, columns: String) -> CopySource {
        CopySource(
            statement: "COPY \(table) (\(columns)) FROM STDIN (FORMAT binary)", table: table,
            chunks: [slice()])
    }

    static func int8(_ value: Int64) -> [UInt8] {
        var field: [UInt8] = []
        field.appendBigEndian(value)
        return field
    }

    static func int4(_ value: Int32) -> [UInt8] {
        var field: [UInt8] = []
        field.appendBigEndian(value)
        return field
    }

    static func text(_ value: String) -> [UInt8] { Array(value.utf8) }
    static func jsonb(_ value: String) -> [UInt8] { [1] + Array(value.utf8) }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Copy

/// Reads binary COPY as PostgreSQL's documentation describes it, independently of the encoder.
struct CopyReader {
    struct Malformed: Error {
        let reason: String
    }

    private let bytes: [UInt8]
    private var offset = 0

    /// The rows, each a list of fields; nil is NULL.
    static func rows(_ bytes: [UInt8]) throws -> [[[UInt8]?]] {
        var reader = CopyReader(bytes: bytes)
        return try reader.rows()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func take(_ count: Int) throws -> [UInt8] {
        guard count >= 0, count <= bytes.count - offset else {
            throw Malformed(reason: "cut at \(offset)")
        }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    private mutating func integer(_ sizeBytes: Int) throws -> Int {
        let value = try take(sizeBytes).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let shift = 64 - sizeBytes * 8
        return Int(Int64(bitPattern: value << UInt64(shift)) >> Int64(shift))
    }

    private mutating func rows() throws -> [[[UInt8]?]] {
        guard try take(11) == Array("PGCOPY\n".utf8) + [0xff] + Array("\r\n\0".utf8) else {
            throw Malformed(reason: "signature")
        }
        guard try integer(4) == 0, try integer(4) == 0 else { throw Malformed(reason: "flags") }
        var rows: [[[UInt8]?]] = []
        while true {
            let columnCount = try integer(2)
            if columnCount == -1 { break }
            var row: [[UInt8]?] = []
            for _ in 0..<columnCount {
                let sizeBytes = try integer(4)
                row.append(sizeBytes == -1 ? nil : try take(sizeBytes))
            }
            rows.append(row)
        }
        guard offset == bytes.count else { throw Malformed(reason: "data after the trailer") }
        return rows
    }
}

/// One row with its columns by name.
struct CopyRow {
    let columns: [String: [UInt8]?]

    init(layout: TableLayout, fields: [[UInt8]?]) throws {
        guard fields.count == layout.columns.count else {
            throw CopyReader.Malformed(reason: "\(fields.count) fields in \(layout.table.name)")
        }
        columns = Dictionary(uniqueKeysWithValues: zip(layout.columns, fields))
    }

    private func field(_ name: String) throws -> [UInt8]? {
        guard let field = columns[name] else {
            throw CopyReader.Malformed(reason: "no column \(name)")
        }
        return field
    }

    /// The field as it lies in the file, nil for NULL.
    func raw(_ name: String) throws -> [UInt8]? { try field(name) }

    /// int2, int4 or int8.
    func integer(_ name: String) throws -> Int64? {
        guard let field = try field(name) else { return nil }
        guard [1, 2, 4, 8].contains(field.count) else {
            throw CopyReader.Malformed(reason: "\(name) is no integer")
        }
        let value = field.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let shift = UInt64(64 - field.count * 8)
        return Int64(bitPattern: value << shift) >> Int64(shift)
    }

    func double(_ name: String) throws -> Double? {
        try integer(name).map { Double(bitPattern: UInt64(bitPattern: $0)) }
    }

    func text(_ name: String) throws -> String? {
        try field(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// jsonb: the text behind the version byte.
    func json(_ name: String) throws -> String? {
        guard let field = try field(name) else { return nil }
        guard field.first == 1 else {
            throw CopyReader.Malformed(reason: "\(name) has no jsonb version")
        }
        return String(decoding: field.dropFirst(), as: UTF8.self)
    }

    /// An array of 8-byte elements.
    func array(_ name: String, elementOID: Int) throws -> [UInt64]? {
        guard let field = try field(name) else { return nil }
        func integer32(_ offset: Int) -> Int {
            field[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        let header = (0..<5).map { integer32($0 * 4) }
        guard header[0] == 1, header[1] == 0, header[2] == elementOID, header[4] == 1 else {
            throw CopyReader.Malformed(reason: "\(name) has the header \(header)")
        }
        guard field.count == 20 + header[3] * 12 else {
            throw CopyReader.Malformed(reason: "\(name) has a wrong size")
        }
        return try (0..<header[3]).map { index in
            let offset = 20 + index * 12
            guard integer32(offset) == 8 else {
                throw CopyReader.Malformed(reason: "element of \(name)")
            }
            return field[offset + 4..<offset + 12].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}

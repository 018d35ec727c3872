// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Tells the semantic type of a span by its row: what `SemanticType.expression` says in SQL, at a
/// tenth of the cost.
struct SemanticTypes {
    private static let types = SemanticType.allCases

    /// The names that count, each with the index of its type.
    private let names: [(name: [UInt8], type: Int)]
    /// The columns of attributes with such a name.
    private let columns: [(column: Int, type: Int)]

    /// `keys` are those of promoted attributes, whose columns begin with `first`.
    init(promoted keys: [String], first: Int) {
        names = SemanticTypes.types.enumerated().flatMap { index, type in
            type.keys.map { (name: Array($0.utf8), type: index) }
        }
        columns = keys.enumerated().flatMap { offset, key in
            SemanticTypes.types.enumerated()
                .filter { $0.element.keys.contains(key) }
                .map { (column: first + offset, type: $0.offset) }
        }
    }

    /// That of the span in `row`, whose other attributes are in `column`.
    func type(of rows: borrowing QueryResult, row: Int, attributes column: Int) -> SemanticType {
        // The first that fits; the last fits always.
        var found = SemanticTypes.types.count - 1
        for entry in columns where entry.type < found {
            if !rows.isNull(row: row, column: entry.column) { found = entry.type }
        }
        SemanticTypes.eachName(in: rows.bytes(row: row, column: column)) { name in
            for entry in names where entry.type < found && entry.name.count == name.count {
                if unsafe name.buffer.elementsEqual(entry.name) { found = entry.type }
            }
        }
        return SemanticTypes.types[found]
    }

    /// The names of the members of an object of JSON, as they are written: none of those that are
    /// looked for has a character that has to be escaped.
    static func eachName(in object: ByteSlice, _ body: (ByteSlice) -> Void) {
        var (depth, isInString, isEscaped) = (0, false, false)
        var (start, end) = (0, 0)
        for index in 0..<object.count {
            let byte = object[index]
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    end = index
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): (isInString, start) = (true, index + 1)
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1:
                body(object.slice(offset: start, count: end - start))
            default: break
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Postgres
import Rows

@testable import Query

private let catalogue = FieldCatalogue([
    PromotedAttribute(signal: .spans, key: "n", type: .int, columnName: "n"),
    PromotedAttribute(signal: .logs, key: "s", type: .string, columnName: "s"),
])

private let subjects: [FilterSubject] = [.spans, .logs, .series]

/// Input: a byte that says what is asked about, one that says how, and the filters: as the JSON of
/// a body, or as lines of `name=value`.
///
/// Whatever it is, there is a condition or a failure in words, and no part of the input is a part
/// of the SQL.
func checkFilter(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let subject = subjects[Int(reader.byte()) % subjects.count]
    let isBody = reader.byte() % 2 == 0
    let bytes = reader.rest.array
    let filter: Filter
    do throws(QueryFailure) {
        filter = isBody ? try ofBody(bytes, subject) : try ofParameters(bytes, subject)
    } catch {
        try hold(
            [.invalidFilter, .invalidParameter].contains(error.kind), "\(error.kind) of a filter")
        try hold(!error.detail.isEmpty, "there is a failure without words")
        return
    }
    var statement = SQLStatement()
    let condition = FilterCompiler(subject, catalogue).condition(filter, in: &statement)
    try checkText(of: condition, parameterCount: statement.parameterCount)
}

private func ofBody(_ bytes: [UInt8], _ subject: FilterSubject) throws(QueryFailure) -> Filter {
    var reader = FilterReader(of: subject)
    return try reader.filters(try JSONValue(bytes), at: "")
}

private func ofParameters(
    _ bytes: [UInt8], _ subject: FilterSubject
) throws(QueryFailure) -> Filter {
    var reader = FilterReader(of: subject)
    var filters: [Filter] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
        guard let equals = line.firstIndex(of: "=") else { continue }
        let value = String(line[line.index(after: equals)...])
        // As the URL's decoder does, which has none for NUL.
        guard !value.contains("\0") else { continue }
        filters.append(try reader.equals(String(line[..<equals]), value))
    }
    return .all(filters)
}

/// Literals are names of ours; all else is bound.
private func checkText(of condition: String, parameterCount: Int) throws {
    let pieces = condition.split(separator: "'", omittingEmptySubsequences: false)
    try hold(pieces.count % 2 == 1, "a literal of the SQL does not end: \(condition)")
    for index in stride(from: 1, to: pieces.count, by: 2) {
        let isName = pieces[index].utf8.allSatisfy {
            (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
        }
        try hold(isName, "the SQL has the literal '\(pieces[index])'")
    }
    try hold(condition.utf8.allSatisfy { (0x20..<0x7f).contains($0) || $0 == 0x0a }, condition)
    let numbers = condition.split(separator: "$").dropFirst().map { piece in
        Int(piece.prefix { $0.isNumber }) ?? 0
    }
    try hold(
        Set(numbers) == Set(1..<(parameterCount + 1)),
        "\(parameterCount) parameters are bound, and the SQL has \(numbers)")
}

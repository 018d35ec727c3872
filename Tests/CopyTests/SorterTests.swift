// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Rows
import Testing

// Goal: however fast attributes are sorted, they are sorted as the rules say. Method: the rules in
// their plainest form, a search from the end for each column, on rows with random names, types and
// repetitions; names agree in length, first and last eight bytes.

private let names = (0..<41).flatMap { count -> [String] in
    let name = String(repeating: "n", count: count)
    guard count > 16 else { return [name] }
    return ["a", "b", "c"].map { name.prefix(8) + $0 + name.dropFirst(9) }
}

private struct Attribute {
    let key: String
    let value: OTLPValue

    static func random(_ numbers: inout some RandomNumberGenerator) -> Attribute {
        let number = Int64.random(in: 0..<100, using: &numbers)
        let value: OTLPValue =
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0, 1: .string("t\(number)")
            case 2, 3: .int(number)
            case 4: .bool(number < 50)
            default: .empty
            }
        return Attribute(key: names.randomElement(using: &numbers) ?? "", value: value)
    }

    var type: AttributeType? {
        switch value {
        case .string: .string
        case .int: .int
        case .bool: .bool
        default: nil
        }
    }

    /// As it stands in jsonb.
    var json: String {
        switch value {
        case .string(let text): "\"\(text)\""
        case .int(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        default: "null"
        }
    }
}

/// What becomes of a row.
private struct Sorted: Equatable {
    var columns: [String: String] = [:]
    /// Members of the object by name; of several with one name the last counts in jsonb.
    var rest: [String: String] = [:]
    var counts = AttributeCounts()

    init() {}

    /// The rules, without any haste.
    init(_ attributes: [Attribute], columns: [PromotedColumn], drops: Set<String>) {
        for (index, attribute) in attributes.enumerated() {
            if drops.contains(attribute.key) {
                counts.dropped += 1
                continue
            }
            let isLast = !attributes[(index + 1)...].contains { $0.key == attribute.key }
            guard isLast else { continue }
            let own = columns.filter { $0.key == attribute.key }
            if let column = own.first(where: { $0.type == attribute.type }) {
                self.columns[column.name] = attribute.json
            } else {
                rest[attribute.key] = attribute.json
                if !own.isEmpty { counts.otherType += 1 }
            }
        }
    }
}

private func columnText(_ column: PromotedColumn, _ row: CopyRow) throws -> String? {
    switch column.type {
    case .string: try row.text(column.name).map { "\"\($0)\"" }
    case .int: try row.integer(column.name).map { "\($0)" }
    default: try row.raw(column.name).map { "\($0 == [1])" }
    }
}

/// The members of a flat object whose strings have no quotes, colons or commas.
private func members(_ json: String?) -> [String: String] {
    guard let json else { return [:] }
    let pairs = json.dropFirst().dropLast().split(separator: ",").map { pair in
        let colon = pair.firstIndex(of: ":") ?? pair.startIndex
        return (
            String(pair[..<colon].dropFirst().dropLast()), String(pair[pair.index(after: colon)...])
        )
    }
    return Dictionary(pairs, uniquingKeysWith: { $1 })
}

@Test(arguments: 0..<UInt64(30))
func rowsAreSortedAsTheRulesSay(seed: UInt64) throws {
    var numbers = SplitMix64(seed: seed)
    let known = names.shuffled(using: &numbers)
    let columns = known.prefix(20).enumerated().flatMap { number, key in
        [AttributeType.string, .int, .bool].shuffled(using: &numbers).prefix(1 + number % 2)
            .map { PromotedColumn(key: key, type: $0, name: "c\(number)_\($0.rawValue)") }
    }
    let drops = Set(known[18..<24])
    let rows = (0..<100).map { _ in
        (0..<Int.random(in: 0...12, using: &numbers)).map { _ in Attribute.random(&numbers) }
    }

    var station = Station()
    station.adopt(PromotionSet(spans: AttributePlan(columns: columns, drops: drops)))
    let bytes = request { scope in
        for attributes in rows {
            scope.span { span in
                for attribute in attributes {
                    span.message(9) { pair in
                        pair.text(1, attribute.key)
                        pair.message(2) { $0.value(attribute.value) }
                    }
                }
            }
        }
    }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])

    let kept = columns.filter { !drops.contains($0.key) }
    let listed = station.layout(.spans).promoted
    var counts = AttributeCounts()
    for (row, attributes) in zip(try station.rows(.spans), rows) {
        var expected = Sorted(attributes, columns: kept, drops: drops)
        counts.dropped += expected.counts.dropped
        counts.otherType += expected.counts.otherType
        expected.counts = AttributeCounts()
        var found = Sorted()
        for column in listed { found.columns[column.name] = try columnText(column, row) }
        found.rest = members(try row.json("attributes"))
        #expect(found == expected, "\(attributes)")
    }
    #expect(station.batch.attributeCounts == counts)
    #expect(Set(listed).isSubset(of: kept))
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Rows
import Testing

// Goal: every attribute is in exactly one place, the right one. Method: spans and log records with
// attributes of all types, sorted by small sets of rules, and read back from the COPY bytes.

private let columns = [
    PromotedColumn(key: "s", type: .string, name: "s"),
    PromotedColumn(key: "i", type: .int, name: "i"),
    PromotedColumn(key: "d", type: .double, name: "d"),
    PromotedColumn(key: "b", type: .bool, name: "b"),
    PromotedColumn(key: "y", type: .bytes, name: "y"),
    PromotedColumn(key: "two", type: .int, name: "two"),
    PromotedColumn(key: "two", type: .string, name: "two_string"),
]

private func promotion(drops: [String] = []) -> PromotionSet {
    let plan = AttributePlan(columns: columns, drops: drops)
    return PromotionSet(
        spans: plan, logs: plan, drops: DimensionDrops(series: AttributeDrops(drops)))
}

/// The one span with these attributes, sorted.
private func spanRow(
    _ attributes: OTLPAttributes, drops: [String] = []
) throws -> CopyRow {
    var station = Station()
    station.adopt(promotion(drops: drops))
    let bytes = request { $0.span(attributes: attributes) }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    return try #require(try station.rows(.spans).first)
}

@Test func everyTypeHasItsColumn() throws {
    let row = try spanRow([
        "s": .string("text"), "i": .int(-7), "d": .double(0.5), "b": .bool(true),
        "y": .bytes([0, 255]), "rest": .int(1),
    ])
    #expect(try row.text("s") == "text")
    #expect(try row.integer("i") == -7)
    #expect(try row.double("d") == 0.5)
    #expect(try row.raw("b") == [1])
    #expect(try row.raw("y") == [0, 255])
    #expect(try row.json("attributes") == #"{"rest":1}"#)
}

@Test func defaultValuesAreValues() throws {
    let row = try spanRow([
        "s": .string(""), "i": .int(0), "d": .double(0), "b": .bool(false), "y": .bytes([]),
    ])
    #expect(try row.raw("s") == [])
    #expect(try row.integer("i") == 0)
    #expect(try row.double("d") == 0)
    #expect(try row.raw("b") == [0])
    #expect(try row.raw("y") == [])
    #expect(try row.raw("attributes") == nil)
}

@Test(
    arguments: [
        (["s": .int(1)], #"{"s":1}"#),
        (["i": .string("1")], #"{"i":"1"}"#),
        (["i": .double(1)], #"{"i":1.0}"#),
        (["d": .int(1)], #"{"d":1}"#),
        (["b": .empty], #"{"b":null}"#),
        (["y": .array([.int(1)])], #"{"y":[1]}"#),
        (["two": .double(1)], #"{"two":1.0}"#),
    ] as [(OTLPAttributes, String)])
func valuesOfOtherTypesStayAsTheyAre(
    attributes: OTLPAttributes, json: String
) throws {
    var station = Station()
    station.adopt(promotion())
    let bytes = request { $0.span(attributes: attributes) }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    let row = try #require(try station.rows(.spans).first)
    #expect(try row.json("attributes") == json)
    #expect(station.layout(.spans).promoted == [])
    #expect(station.batch.attributeCounts == AttributeCounts(dropped: 0, otherType: 1))
}

@Test(
    arguments: [
        (["s": .string("1"), "s": .string("2")], "2", nil),
        (["s": .int(1), "s": .string("2")], "2", nil),
        (["s": .string("1"), "s": .int(2)], nil, #"{"s":2}"#),
        (
            ["s": .string("1"), "rest": .int(0), "s": .int(2), "s": .string("3")], "3",
            #"{"rest":0}"#
        ),
        (["s": .string("1"), "s": .empty], nil, #"{"s":null}"#),
    ] as [(OTLPAttributes, String?, String?)])
func theLastOfTheSameNameCounts(
    attributes: OTLPAttributes, column: String?, json: String?
) throws {
    let row = try spanRow(["s": .string("listed")])
    #expect(try row.text("s") == "listed")
    var station = Station()
    station.adopt(promotion())
    // The other span makes sure that the column is listed.
    let bytes = request { scope in
        scope.span(attributes: attributes)
        scope.span(attributes: ["s": .string("listed")])
    }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    let first = try #require(try station.rows(.spans).first)
    #expect(try first.text("s") == column)
    #expect(try first.json("attributes") == json)
}

@Test func oneNameMayHaveColumnsOfSeveralTypes() throws {
    var station = Station()
    station.adopt(promotion())
    let bytes = request { scope in
        scope.span(attributes: ["two": .int(2)])
        scope.span(attributes: ["two": .string("2")])
        scope.span(attributes: ["two": .int(2), "two": .string("3")])
    }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    let rows = try station.rows(.spans)
    #expect(try rows.map { try $0.integer("two") } == [2, nil, nil])
    #expect(try rows.map { try $0.text("two_string") } == [nil, "2", "3"])
    #expect(try rows.allSatisfy { try $0.raw("attributes") == nil })
}

@Test func whatIsDroppedIsNowhere() throws {
    let row = try spanRow(
        ["s": .string("secret"), "x": .int(1), "i": .int(5), "s": .int(2)], drops: ["s", "x"])
    #expect(try row.integer("i") == 5)
    #expect(try row.raw("attributes") == nil)
    #expect(throws: CopyReader.Malformed.self) { try row.raw("s") }
}

@Test func eventsAndLinksLoseWhatIsDroppedAndHaveNoColumns() throws {
    var station = Station()
    station.adopt(promotion(drops: ["x"]))
    let bytes = request { scope in
        scope.span { span in
            span.message(11) { $0.attributes(3, ["x": .int(1), "s": .string("kept")]) }
            span.message(11) { $0.attributes(3, ["x": .int(1)]) }
            span.message(13) { $0.attributes(4, ["s": .string("kept"), "x": .int(1)]) }
        }
    }
    _ = try station.run([ExportBox(.traces, bytes, budget: station.budget)])
    let row = try #require(try station.rows(.spans).first)
    #expect(try row.json("events") == #"[{"attributes":{"s":"kept"}},{}]"#)
    #expect(try row.json("links") == #"[{"attributes":{"s":"kept"}}]"#)
    #expect(station.batch.attributeCounts == AttributeCounts(dropped: 3, otherType: 0))
}

@Test func onlyColumnsThatRowsWantAreListed() throws {
    var station = Station()
    station.adopt(promotion())
    let budget = station.budget
    func run(_ attributes: OTLPAttributes) throws -> [String] {
        let bytes = request { $0.span(attributes: attributes) }
        _ = try station.run([ExportBox(.traces, bytes, budget: budget)])
        return station.layout(.spans).promoted.map(\.name)
    }
    #expect(try run(["rest": .int(1)]) == [])
    #expect(station.encodingCount == 1)
    #expect(try run(["y": .bytes([1]), "i": .int(1)]) == ["i", "y"])
    #expect(station.encodingCount == 3)
    #expect(try run(["i": .int(1)]) == ["i", "y"])
    #expect(station.encodingCount == 4)
    #expect(try run(["s": .string("a")]) == ["s", "i", "y"])
    #expect(station.encodingCount == 6)
    // Columns that no row wants for long are not listed any more.
    for _ in 0..<2_048 { _ = try run(["i": .int(1)]) }
    #expect(try run(["i": .int(1)]) == ["i"])
}

@Test func rowsOfEveryExportAreKeptWhenALaterOneWantsAColumn() throws {
    var station = Station()
    station.adopt(promotion())
    let boxes = try (0..<3).map { index in
        try ExportBox(
            .traces,
            request { scope in
                scope.span(attributes: ["n": .int(Int64(index))])
                if index == 2 { scope.span(attributes: ["i": .int(9)]) }
            }, budget: station.budget)
    }
    #expect(try station.run(boxes).map(\.rowCount) == [1, 1, 2])
    let rows = try station.rows(.spans)
    #expect(
        try rows.map { try $0.json("attributes") } == ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}", nil])
    #expect(try rows.map { try $0.integer("i") } == [nil, nil, nil, 9])
    #expect(station.source(ofRow: 3, in: .spans) == [2, 1])
}

@Test func newRulesBeginWithTheNextBatch() throws {
    var station = Station()
    let bytes = request { $0.span(attributes: ["s": .string("a")]) }
    let box = try ExportBox(.traces, bytes, budget: station.budget)
    func attributes() throws -> [String?] {
        _ = try station.run([box])
        return try station.rows(.spans).map { try $0.json("attributes") }
    }
    #expect(try attributes() == [#"{"s":"a"}"#])
    station.adopt(promotion())
    #expect(try attributes() == [nil])
    station.adopt(PromotionSet())
    #expect(try attributes() == [#"{"s":"a"}"#])
}

@Test func logRecordsHaveTheirOwnPlan() throws {
    var station = Station()
    station.adopt(
        PromotionSet(logs: AttributePlan(columns: [columns[0]], drops: ["x"])))
    let bytes = request { scope in
        scope.logRecord { $0.attributes(6, ["s": .string("a"), "x": .int(1), "z": .int(2)]) }
    }
    _ = try station.run([ExportBox(.logs, bytes, budget: station.budget)])
    let row = try #require(try station.rows(.logs).first)
    #expect(try row.text("s") == "a")
    #expect(try row.json("attributes") == #"{"z":2}"#)
    #expect(station.batch.attributeCounts.dropped == 1)
}

@Test func logIDsAreThoseOfTheLastEncoding() throws {
    var station = Station()
    station.adopt(PromotionSet(logs: AttributePlan(columns: [columns[0]])))
    let bytes = request { scope in
        scope.logRecord { $0.attributes(6, ["s": .string("a")]) }
    }
    _ = try station.run([ExportBox(.logs, bytes, budget: station.budget)])
    #expect(station.encodingCount == 2)
    #expect(try station.rows(.logs).map { try $0.integer("log_id") } == [1_000])
}

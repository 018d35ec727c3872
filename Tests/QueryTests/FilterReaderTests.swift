// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

// Goal: what makes a filter makes exactly that one, and everything else is told where it is wrong.

private func read(_ text: String, of subject: FilterSubject = .spans) throws -> Filter {
    var reader = FilterReader(of: subject)
    return try reader.filters(try JSONValue(Array(text.utf8)), at: "/filters")
}

private func condition(_ field: String, _ operation: String, _ value: String) -> String {
    #"[{"field":"\#(field)","operator":"\#(operation)","value":\#(value)}]"#
}

@Suite struct FilterReaderTests {
    private static let route = FilterField.attribute(.span, key: "http.route")

    private static let filters: [(String, Filter)] = [
        ("null", .everything), ("[]", .everything),
        (
            condition("span.http.route", "eq", #""/""#),
            .all([.condition(route, .oneOf([.string("/")]))])
        ),
        (
            condition("span.http.route", "ne", "1.5"),
            .all([.condition(route, .noneOf([.double(1.5)]))])
        ),
        (
            condition("span.http.route", "in", "[1,true]"),
            .all([.condition(route, .oneOf([.int(1), .bool(true)]))])
        ),
        (
            condition("span.http.route", "lte", "2"),
            .all([.condition(route, .order(.lte, .int(2)))])
        ),
        (
            condition("kind", "eq", #""server""#),
            .all([.condition(.intrinsic(.kind), .oneOf([.int(2)]))])
        ),
        (
            condition("duration_nanos", "gt", #""250ms""#),
            .all([.condition(.intrinsic(.duration), .order(.gt, .int(250_000_000)))])
        ),
        (
            condition("span_id", "eq", #""ffffffffffffffff""#),
            .all([.condition(.intrinsic(.spanID), .oneOf([.int(-1)]))])
        ),
        (
            condition("attr.a", "contains", #""b""#),
            .all([
                .any([
                    .condition(.attribute(.span, key: "a"), .contains("b")),
                    .condition(.attribute(.resource, key: "a"), .contains("b")),
                ])
            ])
        ),
        (
            #"[{"not":{"or":[{"and":[]},{"field":"event.x","operator":"exists"}]}}]"#,
            .all([.not(.any([.all([]), .condition(.attribute(.event, key: "x"), .exists)]))])
        ),
    ]

    @Test(arguments: filters)
    func whatMakesAFilter(_ text: String, _ expected: Filter) throws {
        #expect(try read(text) == expected)
    }

    @Test(arguments: [
        ("{}", "/filters"), ("[1]", "/filters/0"), ("[{}]", "/filters/0"),
        (#"[{"and":{}}]"#, "/filters/0/and"), (#"[{"and":[],"or":[]}]"#, "/filters/0/and"),
        (#"[{"not":[]}]"#, "/filters/0/not"), (#"[{"or":[{"not":1}]}]"#, "/filters/0/or/0/not"),
        (#"[{"field":"name","operator":"eq"}]"#, "/filters/0/value"),
        (#"[{"field":"name","value":"a"}]"#, "/filters/0"),
        (#"[{"field":1,"operator":"eq","value":"a"}]"#, "/filters/0/field"),
        (#"[{"field":"name","operator":"eq","value":"a","x/y":1}]"#, "/filters/0/x~1y"),
        (condition("http.route", "eq", "1"), "/filters/0/field"),
        (condition("body", "eq", #""a""#), "/filters/0/field"),
        (condition("log.a", "eq", #""a""#), "/filters/0/field"),
        (condition("span.", "eq", #""a""#), "/filters/0/field"),
        (condition("name", "like", #""a""#), "/filters/0/operator"),
        (condition("kind", "gt", #""SERVER""#), "/filters/0/operator"),
        (condition("trace_id", "contains", #""a""#), "/filters/0/operator"),
        (condition("span.a", "gt", "true"), "/filters/0/value"),
        (condition("span.a", "eq", "null"), "/filters/0/value"),
        (condition("span.a", "eq", "[1]"), "/filters/0/value"),
        (condition("span.a", "eq", #""\u0000""#), "/filters/0/value"),
        (condition("span.a", "in", "[]"), "/filters/0/value"),
        (condition("span.a", "in", "[1,null]"), "/filters/0/value/1"),
        (condition("span.a", "exists", "false"), "/filters/0/value"),
        (condition("name", "eq", "1"), "/filters/0/value"),
        (condition("kind", "eq", #""x""#), "/filters/0/value"),
        (condition("trace_id", "eq", #""xyz""#), "/filters/0/value"),
        (condition("span_id", "eq", #""0000000000000000""#), "/filters/0/value"),
        (condition("duration_nanos", "gt", #""fast""#), "/filters/0/value"),
    ])
    func noFilters(_ text: String, _ pointer: String) {
        let failure = #expect(throws: QueryFailure.self) { try read(text) }
        #expect(failure?.kind == .invalidFilter)
        #expect(failure?.pointer == pointer)
    }

    private static func repeated(_ count: Int, _ text: String) -> String {
        "[" + Array(repeating: text, count: count).joined(separator: ",") + "]"
    }

    private static func nested(_ depth: Int) -> String {
        "[" + String(repeating: #"{"not":"#, count: depth - 1) + #"{"and":[]}"#
            + String(repeating: "}", count: depth - 1) + "]"
    }

    private static let limits: [(Int, @Sendable (Int) -> String)] = [
        (Filter.listCountMax, { condition("span.a", "in", repeated($0, "1")) }),
        (Filter.conditionCountMax, { repeated($0, #"{"field":"name","operator":"exists"}"#) }),
        (Filter.depthMax, nested),
        (
            Filter.regexSizeBytesMax,
            { condition("name", "regex", "\"\(String(repeating: "a", count: $0))\"") }
        ),
        (
            Filter.textSizeBytesMax,
            { condition("name", "contains", "\"\(String(repeating: "a", count: $0))\"") }
        ),
        (
            Filter.textSizeBytesMax,
            { condition("span.a", "eq", "\"\(String(repeating: "a", count: $0))\"") }
        ),
        (512, { condition("span.\(String(repeating: "k", count: $0))", "eq", "1") }),
    ]

    @Test(arguments: limits.indices)
    func bounds(_ index: Int) throws {
        let (limit, text) = FilterReaderTests.limits[index]
        _ = try read(text(limit))
        #expect(throws: QueryFailure.self) { try read(text(limit + 1)) }
    }

    @Test func fieldsAreThoseOfTheItems() throws {
        _ = try read(condition("body", "contains", #""x""#), of: .logs)
        _ = try read(condition("datapoint.host", "eq", #""x""#), of: .series)
        #expect(throws: QueryFailure.self) { try read(condition("span.a", "eq", "1"), of: .logs) }
    }

    @Test func parametersHaveNoTypes() throws {
        var reader = FilterReader(of: .logs)
        #expect(
            try reader.equals("log.code", "200")
                == .condition(.attribute(.log, key: "code"), .oneOf([.string("200"), .int(200)])))
        #expect(
            try reader.equals("service", "200")
                == .condition(.intrinsic(.service), .oneOf([.string("200")])))
        #expect(
            try reader.equals("resource.x", "true")
                == .condition(
                    .attribute(.resource, key: "x"), .oneOf([.string("true"), .bool(true)])))
        let failure = #expect(throws: QueryFailure.self) { try reader.equals("trace_id", "x") }
        #expect(failure?.pointer == "trace_id")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct JSONValueTests {
    private func value(_ text: String) throws -> JSONValue { try JSONValue(Array(text.utf8)) }

    private static let values: [(String, JSONValue)] = [
        ("null", .null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .int(0)),
        ("-0", .int(0)), ("9223372036854775807", .int(.max)),
        ("-9223372036854775808", .int(.min)), ("9223372036854775808", .double(0x1p63)),
        ("-9223372036854775809", .double(-0x1p63)), ("1.5", .double(1.5)), ("5.0", .int(5)),
        (#""a\u00e9\ud83d\ude00\n\/""#, .string("aé😀\n/")), (#""é""#, .string("é")),
        ("[]", .list([])), ("[1,[2]]", .list([.int(1), .list([.int(2)])])), ("{}", .object([])),
        (
            #"{"a":{"b":null}}"#,
            .object([
                JSONMember(
                    name: "a", value: .object([JSONMember(name: "b", value: .null)]))
            ])
        ),
    ]

    @Test(arguments: values)
    func whatMakesAValue(_ text: String, _ expected: JSONValue) throws {
        #expect(try value(text) == expected)
    }

    @Test(arguments: [
        "", "nul", "{", "[1,]", "[1", "{\"a\"}", "{\"a\":1,}", "{a:1}", "1 2", "01", "1e999",
        "\"\u{1}\"", #""\ud800""#, #""\x""#, "'a'", #"{"a":1,"a":2}"#,
    ])
    func noValues(_ text: String) {
        let failure = #expect(throws: QueryFailure.self) { try value(text) }
        #expect(failure?.kind == .invalidParameter)
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try value(nested(JSONValue.depthMax))
        #expect(throws: QueryFailure.self) { try value(nested(JSONValue.depthMax + 1)) }
        #expect(throws: QueryFailure.self) { try value(nested(500_000)) }
    }

    @Test func bytesHaveToBeUTF8() {
        #expect(throws: QueryFailure.self) { try JSONValue([0x22, 0xff, 0x22]) }
    }

    @Test func membersThatNobodyTakesAreErrors() throws {
        var members = try JSONMembers(value(#"{"a":"x","b":1,"c~/":null,"d":true}"#), at: "/q")
        #expect(try members.takeText("a") == "x")
        #expect(try members.takeInt("b") == 1)
        #expect(try members.takeBool("d") == true)
        #expect(try members.takeText("none") == nil)
        let failure = #expect(throws: QueryFailure.self) { try members.checkNothingIsLeft() }
        #expect(failure?.pointer == "/q/c~0~1")
        #expect(try members.takeText("c~/") == nil)
        try members.checkNothingIsLeft()
    }

    @Test func membersOfAnotherTypeAreErrors() throws {
        var members = try JSONMembers(value(#"{"a":1,"b":"1","c":1.5}"#), at: "")
        #expect(throws: QueryFailure.self) { try members.takeText("a") }
        #expect(throws: QueryFailure.self) { try members.takeInt("b") }
        let failure = #expect(throws: QueryFailure.self) { try members.takeInt("c") }
        #expect(failure?.pointer == "/c")
    }
}

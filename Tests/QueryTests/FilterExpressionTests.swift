// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

// Goal: what is typed means what the JSON form beside it means.

@Suite struct FilterExpressionTests {
    private func typed(_ text: String, _ subject: FilterSubject) throws -> Filter {
        var reader = FilterReader(of: subject)
        return try reader.expression(text, at: "filter")
    }

    private func json(_ text: String, _ subject: FilterSubject) throws -> Filter {
        var reader = FilterReader(of: subject)
        return try reader.filters(try JSONValue(Array("[\(text)]".utf8)), at: "")
    }

    @Test(arguments: [
        ("service=shop", #"{"field":"service","operator":"eq","value":"shop"}"#),
        ("service!=shop", #"{"field":"service","operator":"ne","value":"shop"}"#),
        ("name~^GET =", #"{"field":"name","operator":"regex","value":"^GET ="}"#),
        ("duration_nanos>=250ms", #"{"field":"duration_nanos","operator":"gte","value":"250ms"}"#),
        ("span.n<5", #"{"field":"span.n","operator":"lt","value":5}"#),
        ("span.n>1.5", #"{"field":"span.n","operator":"gt","value":1.5}"#),
        ("span.n<=b", #"{"field":"span.n","operator":"lte","value":"b"}"#),
        ("span.n=5", #"{"field":"span.n","operator":"in","value":["5",5]}"#),
        ("span.n!=true", #"{"field":"span.n","operator":"not_in","value":["true",true]}"#),
        ("span.n", #"{"field":"span.n","operator":"exists"}"#),
        ("span.n=", #"{"field":"span.n","operator":"eq","value":""}"#),
    ])
    func meanTheSame(_ text: String, _ form: String) throws {
        let (found, meant) = (try typed(text, .spans), try json(form, .spans))
        #expect(.all([found]) == meant)
    }

    @Test(arguments: [
        ("=ERROR", "in", "[17,18,19,20]"), ("!=error", "not_in", "[17,18,19,20]"),
        (">=ERROR", "gte", "17"), ("<ERROR", "lt", "17"), (">ERROR", "gt", "20"),
        ("<=ERROR", "lte", "20"), (">=17", "gte", "17"), ("=17", "eq", "17"),
    ])
    func severitiesHaveNames(_ text: String, _ operation: String, _ value: String) throws {
        let form =
            #"{"field":"severity_number","operator":"\#(operation)","value":\#(value)}"#
        let found = try typed("severity_number\(text)", .logs)
        let meant = try json(form, .logs)
        #expect(.all([found]) == meant)
    }

    @Test(arguments: ["", "=", "colour=red", "span.", "name!x", "status=purple"])
    func othersAreToldSo(_ text: String) {
        let failure = #expect(throws: QueryFailure.self) { try typed(text, .spans) }
        #expect(failure?.kind == .invalidFilter)
        #expect(failure?.pointer == "filter")
    }
}

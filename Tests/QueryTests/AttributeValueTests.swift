// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

/// Attribute values out of the forms of docs/attributes.md, and into those of OTLP and of people.
struct AttributeValueTests {
    @Test(arguments: [
        ("null", "{}", "null"), (#""a\"\n☃""#, #"{"stringValue":"a\"\u000a☃"}"#, #""a\"\u000a☃""#),
        (#""\u00e9\ud83d\ude00\/\b""#, #"{"stringValue":"é😀/\u0008"}"#, #""é😀/\u0008""#),
        ("true", #"{"boolValue":true}"#, "true"),
        ("-9223372036854775808", #"{"intValue":"-9223372036854775808"}"#, "-9223372036854775808"),
        ("5.0", #"{"doubleValue":5.0}"#, "5.0"), ("1e+3", #"{"doubleValue":1e+3}"#, "1e+3"),
        (#"{"$double":"NaN"}"#, #"{"doubleValue":"NaN"}"#, #""NaN""#),
        (#"{"$double":"-0.0"}"#, #"{"doubleValue":-0.0}"#, "-0.0"),
        (#"{"$bytes":"3q0="}"#, #"{"bytesValue":"3q0="}"#, #""3q0=""#),
        (
            #"[1, "a", null]"#,
            #"{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"a"},{}]}}"#,
            #"[1,"a",null]"#
        ),
        (
            #"{"id": 7}"#, #"{"kvlistValue":{"values":[{"key":"id","value":{"intValue":"7"}}]}}"#,
            #"{"id":7}"#
        ),
        (
            #"{"$kvlist": {"$bytes": 1}}"#,
            #"{"kvlistValue":{"values":[{"key":"$bytes","value":{"intValue":"1"}}]}}"#,
            #"{"$bytes":1}"#
        ),
    ])
    func forms(stored: String, otlp: String, plain: String) throws {
        let value = AttributeValue(try #require(StoredJSON(stored)))
        var writer = JSONWriter()
        writer.otlp(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == otlp)
        writer.removeAll()
        writer.plain(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == plain)
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "tru", "01", "1.", "-", "1e", "\"a",
        "\"\\x\"",
        "\"\\u12\"", "1 2", "\"\n\"", "+1",
    ])
    func whatIsNoJSON(text: String) { #expect(StoredJSON(text) == nil) }

    @Test func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(StoredJSON(nested(StoredJSON.depthMax)) != nil)
        #expect(StoredJSON(nested(StoredJSON.depthMax + 2)) == nil)
        #expect(StoredJSON(String(repeating: "[", count: 1_000_000)) == nil)
    }
}

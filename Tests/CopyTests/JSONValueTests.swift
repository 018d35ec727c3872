// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Decode
import OTLPFixtures
import Testing

// Goal: every AnyValue has one text form that reads back as what it was. Method: a table of values
// and the text expected, through the attribute of a span.

private let kinds: [(OTLPValue, String)] = [
    (.absent, "null"),
    (.empty, "null"),
    (.string(""), "\"\""),
    (.string("text"), "\"text\""),
    (.bool(true), "true"),
    (.bool(false), "false"),
    (.int(0), "0"),
    (.int(-1), "-1"),
    (.int(9), "9"),
    (.int(10), "10"),
    (.int(99), "99"),
    (.int(100), "100"),
    (.int(12_345), "12345"),
    (.int(1_234_567_890_123_456_789), "1234567890123456789"),
    (.int(.max), "9223372036854775807"),
    (.int(.min), "-9223372036854775808"),
    (.bytes([]), "{\"$bytes\":\"\"}"),
    (.bytes([0]), "{\"$bytes\":\"AA==\"}"),
    (.bytes([0xff, 0xfe]), "{\"$bytes\":\"//4=\"}"),
    (.bytes([1, 2, 3]), "{\"$bytes\":\"AQID\"}"),
    (.bytes(Array("any carnal pleas".utf8)), "{\"$bytes\":\"YW55IGNhcm5hbCBwbGVhcw==\"}"),
    (.array([]), "[]"),
    (.array([.int(1), .string("a"), .empty, .double(2)]), "[1,\"a\",null,2.0]"),
    (.array([.array([]), .array([.bool(true)])]), "[[],[true]]"),
    (.pairs([:]), "{}"),
    (.pairs(["a": .int(1), "b": .pairs(["c": .absent])]), "{\"a\":1,\"b\":{\"c\":null}}"),
    // A list of pairs that looks like one of our tagged forms is wrapped; nothing else is.
    (.pairs(["$bytes": .string("AA==")]), "{\"$kvlist\":{\"$bytes\":\"AA==\"}}"),
    (.pairs(["$": .int(1)]), "{\"$kvlist\":{\"$\":1}}"),
    (.pairs(["$kvlist": .pairs([:])]), "{\"$kvlist\":{\"$kvlist\":{}}}"),
    (.pairs(["$x": .int(1), "$x": .int(2)]), "{\"$kvlist\":{\"$x\":1,\"$x\":2}}"),
    (.pairs(["$a": .int(1), "$b": .int(2)]), "{\"$a\":1,\"$b\":2}"),
    (.pairs(["": .int(1)]), "{\"\":1}"),
    (.pairs(["a$": .int(1)]), "{\"a$\":1}"),
]

private let doubles: [(Double, String)] = [
    (0, "0.0"), (5, "5.0"), (-5, "-5.0"), (0.25, "0.25"), (0.1, "0.1"), (-0.1, "-0.1"),
    (1.0 / 3, "0.3333333333333333"), (123.456, "123.456"), (1e14, "100000000000000.0"),
    (999_999_999_999_999, "999999999999999.0"), (1e15, "1000000000000000.0"),
    (1e16, "10000000000000000.0"),
    (12_345_678_901_234_568, "12345678901234568.0"), (9_007_199_254_740_992, "9007199254740992.0"),
    (1234567890123456.7, "1234567890123456.8"), (1e17.nextDown, "99999999999999980.0"),
    (0.0001, "0.0001"),
    (0.00001, "0.00001"), (0.000012345, "0.000012345"), (-0.000012345, "-0.000012345"),
    (1e-6, "0.000001"),
    // On and past the borders of positional notation.
    (1e-6.nextDown, "{\"$double\":\"9.999999999999997e-07\"}"), (1e17, "{\"$double\":\"1e+17\"}"),
    (-1e17, "{\"$double\":\"-1e+17\"}"), (1e-7, "{\"$double\":\"1e-07\"}"),
    (1e300, "{\"$double\":\"1e+300\"}"),
    (.greatestFiniteMagnitude, "{\"$double\":\"1.7976931348623157e+308\"}"),
    (-.leastNormalMagnitude, "{\"$double\":\"-2.2250738585072014e-308\"}"),
    (.leastNonzeroMagnitude, "{\"$double\":\"5e-324\"}"), (-0.0, "{\"$double\":\"-0.0\"}"),
    (.nan, "{\"$double\":\"NaN\"}"), (-.nan, "{\"$double\":\"NaN\"}"),
    (.infinity, "{\"$double\":\"Infinity\"}"), (-.infinity, "{\"$double\":\"-Infinity\"}"),
]

private func json(_ value: OTLPValue) throws -> String? {
    let bytes = request { $0.span(attributes: ["k": value]) }
    return try #require(try rows(.traces, .spans, bytes).first).json("attributes")
}

@Test(arguments: kinds)
func valueAsJSON(value: OTLPValue, expected: String) throws {
    #expect(try json(value) == "{\"k\":\(expected)}")
}

@Test(arguments: doubles)
func doubleAsJSON(value: Double, expected: String) throws {
    #expect(try json(.double(value)) == "{\"k\":\(expected)}")
}

@Test func doublesReadBackAsWhatTheyWere() throws {
    var generator = SplitMix64(seed: 42)
    for _ in 0..<2_000 {
        // Magnitudes around the whole positional range and beyond it.
        let exponent = Int(generator.next() % 80) - 20
        let mantissa = 1 + Double(generator.next() >> 12) * 0x1p-52
        let value =
            (generator.next() & 1 == 0 ? 1 : -1) * mantissa
            * Double(sign: .plus, exponent: exponent, significand: 1)
        let text = try #require(try json(.double(value)))
        let number = text.dropFirst("{\"k\":".count).dropLast()
        if number.hasPrefix("{") {
            let inner = number.dropFirst("{\"$double\":\"".count).dropLast(2)
            #expect(Double(inner) == value)
            #expect(value.magnitude < 1e-6 || value.magnitude >= 1e17)
        } else {
            #expect(Double(number) == value && number.contains(".") && !number.contains("e"))
            #expect(number.count <= 26)
        }
    }
}

// Goal: text survives, whatever its length and wherever something must be escaped in it. Method:
// every place of one special byte in texts of every length around the 8 bytes that are handled at a
// time.
@Test(arguments: [
    ("\"", "\\\""), ("\\", "\\\\"), ("\n", "\\n"), ("\u{1}", "\\u0001"), ("\u{1f}", "\\u001f"),
    ("é", "é"), ("\u{7f}", "\u{7f}"),
])
func escapesAtEveryPlace(special: String, escaped: String) throws {
    for count in 0...20 {
        for place in 0...count {
            let before = String(repeating: "a", count: place)
            let after = String(repeating: "z", count: count - place)
            #expect(
                try json(.string(before + special + after))
                    == "{\"k\":\"\(before)\(escaped)\(after)\"}")
        }
    }
}

@Test func everyControlCharacterIsEscaped() throws {
    // NUL is a fault and never comes this far.
    let short: [UInt8: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"]
    for byte in UInt8(1)..<0x20 {
        let hex = String(byte, radix: 16)
        let expected = short[byte] ?? "\\u00" + (byte < 16 ? "0" : "") + hex
        let text = String(UnicodeScalar(byte))
        #expect(
            try json(.string(text + text + "x" + text))
                == "{\"k\":\"\(expected)\(expected)x\(expected)\"}")
    }
}

@Test func unicodeIsLeftAsItIs() throws {
    let text = "naïve 日本語 🐦\u{1F468}\u{200D}\u{1F469} \u{80}\u{10FFFF} end"
    #expect(try json(.string(text)) == "{\"k\":\"\(text)\"}")
}

@Test func longTextIsConvertedInPieces() throws {
    let unit = "0123456789abcdef\"\n\u{1}é"
    let escaped = "0123456789abcdef\\\"\\n\\u0001é"
    for repetitions in [194, 195, 196, 1_000] {
        let text = String(repeating: unit, count: repetitions)
        #expect(
            try json(.string(text))
                == "{\"k\":\"\(String(repeating: escaped, count: repetitions))\"}")
    }
}

@Test func keysAreEscapedAndKeepTheirOrder() throws {
    let bytes = request { $0.span(attributes: ["b\"\n": .int(1), "a": .int(2), "a": .int(3)]) }
    let row = try #require(try rows(.traces, .spans, bytes).first)
    #expect(try row.json("attributes") == "{\"b\\\"\\n\":1,\"a\":2,\"a\":3}")
}

@Test func attributesAreNeverWrapped() throws {
    let bytes = request { $0.span(attributes: ["$bytes": .int(1)]) }
    let row = try #require(try rows(.traces, .spans, bytes).first)
    #expect(try row.json("attributes") == "{\"$bytes\":1}")
}

@Test func valuesNestAsDeepAsTheyAreAdmitted() throws {
    var value = OTLPValue.int(1)
    for _ in 1..<Limits.anyValueDepthMax { value = .array([value]) }
    let depth = Limits.anyValueDepthMax - 1
    #expect(
        try json(value) == "{\"k\":" + String(repeating: "[", count: depth) + "1"
            + String(repeating: "]", count: depth) + "}")
}

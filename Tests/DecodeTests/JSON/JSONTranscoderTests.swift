// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: OTLP/JSON becomes the protobuf that its rules say, or an error that names the place.
// Method: tables of one member each with the bytes written by hand, both sides of every limit,
// every fault with its place, and random requests there and back.

private let limits = DecodeLimits(unpackedSizeBytesMax: 1 << 26)

func transcode(
    _ text: String, _ signal: Signal = .traces, sizeBytesMax: Int = 1 << 26,
    budget: MemoryBudget = MemoryBudget(limitBytes: 1 << 28)
) throws -> [UInt8] {
    let bytes = Array(text.utf8)
    return try unsafe bytes.withUnsafeBytes { buffer in
        let wire = try JSONTranscoder.transcode(
            unsafe ByteSlice(buffer), signal: signal, limits: limits, sizeBytesMax: sizeBytesMax,
            budget: budget)
        return unsafe Array(wire.slice.buffer)
    }
}

/// What is said about `text`; fails where it is taken.
private func problem(
    _ text: String, _ signal: Signal = .traces, sourceLocation: SourceLocation = #_sourceLocation
) -> String {
    do {
        _ = try transcode(text, signal)
        Issue.record("taken: \(text)", sourceLocation: sourceLocation)
        return ""
    } catch {
        guard case .refused(let refusal) = error as? JSONError else { return "\(error)" }
        #expect(refusal.code == .invalidArgument, sourceLocation: sourceLocation)
        return refusal.message
    }
}

private func span(_ members: String) -> String {
    #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(members)}]}]}]}"#
}

private func spanBytes(_ build: (inout WireWriter) -> Void) -> [UInt8] {
    WireWriter { $0.message(1) { $0.message(2) { $0.message(2, build) } } }.bytes
}

private func point(_ members: String) -> String {
    let metric = #"{"gauge":{"dataPoints":[{\#(members)}]}}"#
    return #"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[\#(metric)]}]}]}"#
}

private func pointBytes(_ build: (inout WireWriter) -> Void) -> [UInt8] {
    WireWriter {
        $0.message(1) { $0.message(2) { $0.message(2) { $0.message(5) { $0.message(1, build) } } } }
    }.bytes
}

private func value(_ text: String) -> String { span(#""attributes":[{"value":\#(text)}]"#) }

private func valueBytes(_ build: (inout WireWriter) -> Void) -> [UInt8] {
    spanBytes { $0.message(9) { $0.message(2, build) } }
}

@Suite struct JSONMemberTests {
    @Test func emptyObjects() throws {
        #expect(try transcode("{}") == [])
        #expect(try transcode(" \t\r\n{ \n} ") == [])
        #expect(try transcode(#"{"resourceSpans":[]}"#) == [])
        #expect(try transcode(#"{"resourceSpans":[{}, {}]}"#) == [0x0a, 0, 0x0a, 0])
        #expect(try transcode(#"{"resourceSpans":[{"resource":{}}]}"#) == [0x0a, 2, 0x0a, 0])
    }

    @Test(arguments: ["traceId", "trace_id", #"trace\u0049d"#])
    func keysHaveTwoNames(key: String) throws {
        let expected = spanBytes { $0.bytes(1, [0xab, 0xcd]) }
        #expect(try transcode(span(#""\#(key)":"abCD""#)) == expected)
    }

    @Test(arguments: [
        #""unknown":1"#, #""unknown":{"a":[1,{"b":null},[]],"c":"}"}"#, #""TraceId":"xyz""#,
        #""traceid":"xyz""#, #""":"""#, #""k":true,"l":false,"m":null,"n":-1.5e-3"#,
        #""k":"\u0000\"\\""#, #""name":null"#, #""name":"""#, #""kind":0,"flags":0"#,
        #""startTimeUnixNano":"0","droppedAttributesCount":-0,"traceId":"""#, #""events":[]"#,
        #""status":null,"events":null"#,
    ])
    func whatLeavesNoTrace(members: String) throws {
        #expect(try transcode(span(members)) == spanBytes { _ in })
    }

    private static let idCases: [(String, [UInt8])] = [
        ("00", [0]), ("fFfF", [255, 255]),
        (
            "0123456789abcdefABCDEF9876543210",
            [
                1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x98, 0x76, 0x54,
                0x32, 0x10,
            ]
        ),
    ]

    @Test(arguments: idCases)
    func idsAreHexadecimal(digits: String, bytes: [UInt8]) throws {
        #expect(try transcode(span(#""traceId":"\#(digits)""#)) == spanBytes { $0.bytes(1, bytes) })
        #expect(try transcode(span(#""spanId":"\#(digits)""#)) == spanBytes { $0.bytes(2, bytes) })
        #expect(
            try transcode(span(#""parentSpanId":"\#(digits)""#)) == spanBytes { $0.bytes(4, bytes) }
        )
        let link = try transcode(span(#""links":[{"traceId":"\#(digits)"}]"#))
        #expect(link == spanBytes { $0.message(13) { $0.bytes(1, bytes) } })
    }

    private static let base64Cases: [(String, [UInt8])] = [
        ("", []), ("AA==", [0]), ("AA", [0]), ("AAE=", [0, 1]), ("AAE", [0, 1]),
        ("AAEC", [0, 1, 2]),
        ("+/+/", [0xfb, 0xff, 0xbf]), ("-_-_", [0xfb, 0xff, 0xbf]),
        (#"\u002b/+/"#, [0xfb, 0xff, 0xbf]),
        ("/w==", [255]), ("/w", [255]),
    ]

    @Test(arguments: base64Cases)
    func bytesAreBase64(digits: String, bytes: [UInt8]) throws {
        // A member of a oneof is there even when it is empty.
        #expect(
            try transcode(value(#"{"bytesValue":"\#(digits)"}"#))
                == valueBytes { $0.bytes(7, bytes) })
    }

    private static let textCases: [(String, [UInt8])] = [
        ("a", [0x61]), (#"\"\\\/\b\f\n\r\t"#, [0x22, 0x5c, 0x2f, 8, 12, 10, 13, 9]),
        (#"\u0041\u00e9\u20aC"#, [0x41, 0xc3, 0xa9, 0xe2, 0x82, 0xac]), ("é", [0xc3, 0xa9]),
        (#"\ud83c\udf0d"#, [0xf0, 0x9f, 0x8c, 0x8d]), (#"x\u0000y"#, [0x78, 0, 0x79]),
        // Halves of pairs are what UTF-8 forbids; the scan finds them, and their item pays.
        (#"\ud83c"#, [0xed, 0xa0, 0xbc]), (#"\udf0d\ud83c"#, [0xed, 0xbc, 0x8d, 0xed, 0xa0, 0xbc]),
        (#"\ud83c\u0041"#, [0xed, 0xa0, 0xbc, 0x41]),
    ]

    @Test(arguments: textCases)
    func stringsAndEscapes(text: String, bytes: [UInt8]) throws {
        #expect(try transcode(span(#""name":"\#(text)""#)) == spanBytes { $0.bytes(5, bytes) })
    }

    @Test(arguments: [127, 128, 16_383, 16_384, 70_000])
    func lengthsOfEverySize(count: Int) throws {
        let text = String(repeating: "x", count: count)
        #expect(try transcode(span(#""name":"\#(text)""#)) == spanBytes { $0.text(5, text) })
        #expect(
            try transcode(span(#""name":"\u0078\#(text)""#)) == spanBytes { $0.text(5, "x" + text) }
        )
    }

    private static let unsignedCases: [(String, UInt64)] = [
        ("1", 1), (#""1""#, 1), ("18446744073709551615", .max), (#""18446744073709551615""#, .max),
        ("1.0", 1), ("1e3", 1000), (#""1e3""#, 1000), ("1200e-2", 12), ("0.5e1", 5),
        ("18446744073709551615.000", .max), ("1844674407370955161500e-2", .max),
    ]

    @Test(arguments: unsignedCases)
    func numbersOf64BitsWithoutSign(text: String, number: UInt64) throws {
        #expect(
            try transcode(span(#""startTimeUnixNano":\#(text)"#))
                == spanBytes { $0.fixed64(7, number) })
    }

    private static let signedCases: [(String, Int64)] = [
        ("0", 0), ("-0", 0), ("-1", -1), (#""-1""#, -1), ("9223372036854775807", .max),
        ("-9223372036854775808", .min), (#""-9223372036854775808""#, .min), ("-1e2", -100),
    ]

    @Test(arguments: signedCases)
    func numbersOf64Bits(text: String, number: Int64) throws {
        let bits = UInt64(bitPattern: number)
        #expect(
            try transcode(value(#"{"intValue":\#(text)}"#)) == valueBytes { $0.number(3, bits) })
        #expect(
            try transcode(point(#""asInt":\#(text)"#), .metrics)
                == pointBytes { $0.fixed64(6, bits) })
    }

    private static let doubleCases: [(String, Double)] = [
        ("0", 0), ("-0", -0.0), ("1", 1), ("0.1", 0.1), (#""0.1""#, 0.1), ("-1.5e-3", -0.0015),
        ("1e22", 1e22), ("1e23", 1e23), ("123456789012345678", 123_456_789_012_345_680),
        ("5e-324", .leastNonzeroMagnitude),
        ("1e-400", 0), ("1.7976931348623157e308", .greatestFiniteMagnitude),
        ("0.30000000000000004", 0.30000000000000004), ("9007199254740993", 9_007_199_254_740_992),
        (#""Infinity""#, .infinity), (#""-Infinity""#, -.infinity), ("2.50", 2.5), ("1E+2", 100),
    ]

    @Test(arguments: doubleCases)
    func doubles(text: String, number: Double) throws {
        #expect(
            try transcode(value(#"{"doubleValue":\#(text)}"#))
                == valueBytes { $0.double(4, number) })
    }

    @Test func notANumber() throws {
        #expect(
            try transcode(value(#"{"doubleValue":"NaN"}"#)) == valueBytes { $0.double(4, .nan) })
    }

    @Test func otherNumbers() throws {
        #expect(try transcode(span(#""kind":3"#)) == spanBytes { $0.number(6, 3) })
        #expect(try transcode(span(#""kind":-1"#)) == spanBytes { $0.number(6, .max) })
        #expect(try transcode(span(#""kind":99"#)) == spanBytes { $0.number(6, 99) })
        #expect(try transcode(span(#""flags":4294967295"#)) == spanBytes { $0.fixed32(16, .max) })
        #expect(
            try transcode(span(#""droppedAttributesCount":4294967295"#))
                == spanBytes { $0.number(10, 0xffff_ffff) })
        for (text, isTrue) in [("true", true), ("false", false)] {
            #expect(
                try transcode(value(#"{"boolValue":\#(text)}"#))
                    == valueBytes { $0.number(2, isTrue ? 1 : 0) })
        }
    }

    @Test func packedNumbers() throws {
        let text = #"""
            {"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[
            {"bucketCounts":["0",1],"explicitBounds":[0, 0.5 ,"Infinity"],"min":0}]}},
            {"exponentialHistogram":{"dataPoints":[{"scale":-2,"positive":{"offset":1,
            "bucketCounts":[0,300,"18446744073709551615"]}, "negative":{"bucketCounts":[]}}]}}]}]}]}
            """#
        let expected = WireWriter {
            $0.message(1) {
                $0.message(2) {
                    $0.message(2) {
                        $0.message(9) {
                            $0.message(1) { point in
                                point.packedFixed64(6, [0, 1])
                                let bounds = [0, 0.5, Double.infinity]
                                point.packedFixed64(7, bounds.map(\.bitPattern))
                                point.double(11, 0)
                            }
                        }
                    }
                    $0.message(2) {
                        $0.message(10) {
                            $0.message(1) { point in
                                point.number(6, 3)
                                point.message(8) {
                                    $0.number(1, 2)
                                    $0.bytes(
                                        2, [0, 0xac, 2] + [UInt8](repeating: 0xff, count: 9) + [1])
                                }
                                point.message(9)
                            }
                        }
                    }
                }
            }
        }
        #expect(try transcode(text, .metrics) == expected.bytes)
    }

    @Test func membersOfOneofs() throws {
        #expect(try transcode(value("{}")) == valueBytes { _ in })
        #expect(try transcode(value(#"{"stringValue":""}"#)) == valueBytes { $0.text(1, "") })
        #expect(
            try transcode(value(#"{"stringValue":null,"intValue":1}"#))
                == valueBytes {
                    $0.number(3, 1)
                })
        #expect(
            try transcode(value(#"{"intValue":1,"stringValue":null}"#))
                == valueBytes { $0.number(3, 1) })
        #expect(
            try transcode(value(#"{"arrayValue":{"values":[{"intValue":1},{}]}}"#))
                == valueBytes {
                    $0.message(5) {
                        $0.message(1) { $0.number(3, 1) }
                        $0.message(1)
                    }
                })
        #expect(try transcode(point(#""asDouble":0"#), .metrics) == pointBytes { $0.double(4, 0) })
    }
}

@Suite struct JSONFaultTests {
    private static let texts: [(String, String)] = [
        ("", "the text ends too early (byte 0)"), ("  ", "the text ends too early (byte 2)"),
        ("[]", "the text must be an object (byte 0)"),
        ("null", "the text must be an object (byte 0)"),
        ("{", "the text ends too early (byte 1)"), ("{}x", "more follows the object (byte 2)"),
        ("{} {}", "more follows the object (byte 3)"), ("{,}", "expected a key in quotes (byte 1)"),
        (#"{"a":1,}"#, "expected a key in quotes (byte 7)"),
        (#"{"a" 1}"#, "expected : behind a key (byte 5)"),
        (#"{"a":}"#, "expected a value (byte 5)"),
        (#"{"a":1 "b":2}"#, "expected , or } (byte 7)"),
        (#"{"a":[1 2]}"#, "expected , or ] (byte 8)"),
        (#"{"a":[1}}"#, "expected , or ] (byte 7)"),
        (#"{"a":{"b"}}"#, "expected : behind a key (byte 9)"),
        (#"{"a":tru}"#, "this is no JSON value (byte 5)"),
        (#"{"a":nul"#, "this is no JSON value (byte 5)"),
        (#"{"a":NaN}"#, "expected a value (byte 5)"), (#"{"a":'b'}"#, "expected a value (byte 5)"),
        (#"{"a":01}"#, "this is no JSON number (byte 5)"),
        (#"{"a":+1}"#, "expected a value (byte 5)"),
        (#"{"a":.5}"#, "expected a value (byte 5)"),
        (#"{"a":1.}"#, "this is no JSON number (byte 5)"),
        (#"{"a":-}"#, "this is no JSON number (byte 5)"),
        (#"{"a":1e}"#, "this is no JSON number (byte 5)"),
        (#"{"a":"b"#, "a string does not end (byte 7)"),
        (#"{"a":"\"#, "a string does not end (byte 7)"),
        (#"{"a":"b\x"}"#, "this is no JSON escape (byte 7)"),
        (#"{"a":{"\q":1}}"#, "this is no JSON escape (byte 7)"),
        ("{\"a\":\"\n\"}", "a control character in a string must be escaped (byte 6)"),
        ("\u{feff}{}", "the text must be an object (byte 0)"),
        ("// x\n{}", "the text must be an object (byte 0)"),
    ]

    @Test(arguments: texts)
    func syntax(text: String, expected: String) {
        #expect(problem(text) == "not valid OTLP/JSON: \(expected)")
    }

    private static let members: [(String, String)] = [
        (#""traceId":"abc""#, "expected hexadecimal digits, two for a byte"),
        (#""traceId":"0g""#, "expected hexadecimal digits, two for a byte"),
        (#""traceId":12"#, "expected a string"), (#""name":1"#, "expected a string"),
        (#""name":["a"]"#, "expected a string"), (#""name":"\x""#, "this is no JSON escape"),
        (#""name":"\u12g4""#, "this is no JSON escape"),
        (#""name":"\u12""#, "this is no JSON escape"),
        (#""kind":"SPAN_KIND_SERVER""#, "enumerations are written as numbers in OTLP/JSON"),
        (#""kind":"3""#, "enumerations are written as numbers in OTLP/JSON"),
        (#""kind":2147483648"#, "this is no whole number of 32 bits"),
        (#""kind":-2147483649"#, "this is no whole number of 32 bits"),
        (#""kind":1.5"#, "this is no whole number of 32 bits"),
        (#""kind":true"#, "expected a whole number"),
        (#""flags":4294967296"#, "this is no whole number of 32 bits without sign"),
        (#""flags":-1"#, "this is no whole number of 32 bits without sign"),
        (
            #""startTimeUnixNano":18446744073709551616"#,
            "this is no whole number of 64 bits without sign"
        ),
        (#""startTimeUnixNano":-1"#, "this is no whole number of 64 bits without sign"),
        (#""startTimeUnixNano":"""#, "expected a whole number"),
        (#""startTimeUnixNano":" 1""#, "expected a whole number"),
        (#""startTimeUnixNano":"1 ""#, "expected a whole number"),
        (#""startTimeUnixNano":"0x1""#, "expected a whole number"),
        (#""startTimeUnixNano":{}"#, "expected a whole number"),
        (#""startTimeUnixNano":1e-1"#, "this is no whole number of 64 bits without sign"),
        (
            #""startTimeUnixNano":1e99999999999999999999"#,
            "this is no whole number of 64 bits without sign"
        ),
        (#""events":{}"#, "expected a list"), (#""status":[]"#, "expected an object"),
        (#""status":1"#, "expected an object"),
        (#""name":"a","name":"b""#, "the key occurs twice"),
        (#""trace_id":"","traceId":"""#, "the key occurs twice"),
        (#""events":[],"events":[]"#, "the key occurs twice"),
    ]

    @Test(arguments: members)
    func valuesOfTheWrongKind(member: String, expected: String) {
        let text = problem(span(member))
        #expect(text.hasPrefix("not valid OTLP/JSON: \(expected) (byte "), "\(text)")
        #expect(text.contains(", resourceSpans[0].scopeSpans[0].spans[0]."), "\(text)")
    }

    private static let values: [(String, String)] = [
        (#"{"stringValue":"a","intValue":1}"#, "only one of these values may be there"),
        (#"{"intValue":9223372036854775808}"#, "this is no whole number of 64 bits"),
        (#"{"intValue":-9223372036854775809}"#, "this is no whole number of 64 bits"),
        (#"{"doubleValue":1e309}"#, "this number is too large for a double"),
        (#"{"doubleValue":-1e400}"#, "this number is too large for a double"),
        (#"{"doubleValue":"nan"}"#, #"expected a number, "NaN", "Infinity" or "-Infinity""#),
        (#"{"boolValue":1}"#, "expected true or false"),
        (#"{"boolValue":"true"}"#, "expected true or false"),
        (#"{"bytesValue":"A"}"#, "expected base64"), (#"{"bytesValue":"A==="}"#, "expected base64"),
        (#"{"bytesValue":"AA=A"}"#, "expected base64"),
        (#"{"bytesValue":"AA A"}"#, "expected base64"),
        (#"{"arrayValue":{"values":[null]}}"#, "expected an object"),
    ]

    @Test(arguments: values)
    func valuesThatAreNone(text: String, expected: String) {
        #expect(problem(value(text)).hasPrefix("not valid OTLP/JSON: \(expected) (byte "))
    }

    @Test func placesAreNamed() {
        let text = #"""
            {"resourceSpans":[{},{"scopeSpans":[{},{"spans":[{},{},{},{"traceId":"xy"}]}]}]}
            """#
        #expect(
            problem(text).hasSuffix(
                "(byte 70, resourceSpans[1].scopeSpans[1].spans[3].traceId)"))
        let bounds = #"""
            {"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[
            {"explicitBounds":[1,2,"x"]}]}}]}]}]}
            """#
        #expect(problem(bounds, .metrics).hasSuffix("dataPoints[0].explicitBounds[2])"))
        #expect(problem(#"{"resourceSpans":[{}"#).hasSuffix("(byte 20, resourceSpans[0])"))
    }
}

@Suite struct JSONLimitTests {
    /// A value of `depth` levels.
    private func nested(_ depth: Int) -> String {
        String(repeating: #"{"arrayValue":{"values":["#, count: depth - 1) + #"{"intValue":1}"#
            + String(repeating: "]}}", count: depth - 1)
    }

    @Test(arguments: [1, 8, 9, 10, 64])
    func depthUpToTheLimit(depth: Int) throws {
        let wire = try transcode(value(nested(depth)))
        let export = try decode(wire, .traces)
        #expect(export.json == value(nested(depth)).replacing(":1}", with: #":"1"}"#))
    }

    @Test func depthBeyondTheLimit() {
        #expect(problem(value(nested(65))).contains("values nest deeper than 64 levels"))
        #expect(problem(value(nested(100_000))).contains("values nest deeper than 64 levels"))
        let pairs =
            String(repeating: #"{"kvlistValue":{"values":[{"value":"#, count: 100)
            + "{}" + String(repeating: "}]}}", count: 100)
        #expect(problem(value(pairs)).contains("values nest deeper than 64 levels"))
    }

    @Test func depthOfWhatIsSkipped() throws {
        func text(_ depth: Int) -> String {
            #"{"x":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                + "}"
        }
        #expect(try transcode(text(64)) == [])
        #expect(problem(text(65)).contains("values nest deeper than 64 levels"))
        #expect(problem(text(1_000_000)).contains("values nest deeper than 64 levels"))
    }

    @Test func sizeOfWhatComesOut() throws {
        let text = span(#""name":"\#(String(repeating: "x", count: 100_000))""#)
        let sizeBytes = try transcode(text).count
        #expect(try transcode(text, sizeBytesMax: sizeBytes).count == sizeBytes)
        #expect(throws: JSONError.tooLarge) { _ = try transcode(text, sizeBytesMax: sizeBytes - 1) }
    }

    @Test func budget() throws {
        let text = span(#""name":"\#(String(repeating: "x", count: 100_000))""#)
        #expect(throws: JSONError.overBudget) {
            _ = try transcode(text, budget: MemoryBudget(limitBytes: 60_000))
        }
        let budget = MemoryBudget(limitBytes: 1 << 20)
        _ = try transcode(text, budget: budget)
        #expect(budget.inUseBytes == 0)
        #expect(throws: JSONError.self) { _ = try transcode(text + "x", budget: budget) }
        #expect(budget.inUseBytes == 0)
    }
}

@Suite struct JSONRoundTripTests {
    /// Requests with every field, as this daemon writes them, are the same again.
    @Test(arguments: Signal.allCases)
    func randomRequests(signal: Signal) throws {
        for seed in 0..<UInt64(400) {
            var request = RandomRequest(seed: seed)
            let text = try decode(request.bytes(signal), signal).json
            let again = try decode(try transcode(text, signal), signal)
            #expect(again.json == text, "\(signal) \(seed)")
        }
    }

    /// A text that is cut or changed anywhere is refused or taken, and nothing else happens.
    @Test(arguments: Signal.allCases)
    func damagedTexts(signal: Signal) throws {
        var generator = SeededGenerator(seed: 7)
        for seed in 0..<UInt64(60) {
            var request = RandomRequest(seed: seed)
            let text = Array(try decode(request.bytes(signal), signal).json.utf8)
            for _ in 0..<60 {
                var damaged = text
                damaged.removeLast(Int.random(in: 0...damaged.count / 2, using: &generator))
                if !damaged.isEmpty, generator.oneIn(2) {
                    let index = Int.random(in: 0..<damaged.count, using: &generator)
                    damaged[index] = UInt8(truncatingIfNeeded: generator.next())
                }
                let result = Result {
                    try transcode(String(decoding: damaged, as: UTF8.self), signal)
                }
                if case .success(let wire) = result { _ = try? decode(wire, signal) }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Testing

// Goal: every column of otel_logs_fact holds what the record said. Method: as for spans.

@Test func everythingThatALogRecordSays() throws {
    let bytes = request { scope in
        scope.logRecord { record in
            record.fixed64(11, baseUnixNs + 7)
            record.number(2, 17)
            record.text(3, "ERROR")
            record.message(5) { $0.value(.string("it \"broke\"")) }
            record.attributes(6, ["a": .double(1)])
            record.number(7, 5)
            record.fixed32(8, 1)
            record.bytes(9, sampleTraceID)
            record.bytes(10, sampleSpanID)
            record.text(12, "app.broke")
        }
    }
    let row = try #require(try rows(.logs, .logs, bytes).first)
    #expect(try row.integer("time_unix_nano") == Int64(baseUnixNs))
    #expect(try row.integer("observed_time_unix_nano") == Int64(baseUnixNs) + 7)
    #expect(try row.integer("log_id") == 1_000)
    #expect(try row.raw("span_id") == sampleSpanID)
    #expect(try row.raw("trace_id") == sampleTraceID)
    #expect(try row.integer("resource_id") == 1)
    #expect(try row.integer("scope_id") == 2)
    #expect(try row.integer("severity_number") == 17)
    #expect(try row.integer("flags") == 1)
    #expect(try row.integer("dropped_attributes_count") == 5)
    #expect(try row.integer("body_type_id") == 1)
    #expect(try row.raw("time_is_substituted") == nil)
    #expect(try row.text("severity_text") == "ERROR")
    #expect(try row.text("event_name") == "app.broke")
    #expect(try row.text("body_text") == "it \"broke\"")
    #expect(try row.json("body") == nil)
    #expect(try row.json("attributes") == #"{"a":1.0}"#)
}

@Test func whatALogRecordDoesNotSayIsNull() throws {
    let row = try #require(try rows(.logs, .logs, request { $0.logRecord() }).first)
    let nullColumns = [
        "observed_time_unix_nano", "span_id", "severity_number", "flags",
        "dropped_attributes_count",
        "body_type_id", "time_is_substituted", "trace_id", "severity_text", "event_name",
        "body_text",
        "body", "attributes",
    ]
    for column in nullColumns { #expect(try row.raw(column) == nil, "\(column)") }
}

private let bodies: [(OTLPValue, Int64, String?, String?)] = [
    (.empty, 0, nil, nil),
    (.string(""), 1, "", nil),
    (.string("text"), 1, "text", nil),
    (.bool(false), 2, nil, "false"),
    (.int(-3), 3, nil, "-3"),
    (.double(2.5), 4, nil, "2.5"),
    (.array([.int(1)]), 5, nil, "[1]"),
    (.pairs(["k": .int(1)]), 6, nil, #"{"k":1}"#),
    (.pairs(["$k": .int(1)]), 6, nil, #"{"$kvlist":{"$k":1}}"#),
    (.bytes([1]), 7, nil, #"{"$bytes":"AQ=="}"#),
]

@Test(arguments: bodies)
func logBody(body: OTLPValue, typeID: Int64, text: String?, json: String?) throws {
    let bytes = request { $0.logRecord { $0.message(5) { $0.value(body) } } }
    let row = try #require(try rows(.logs, .logs, bytes).first)
    #expect(try row.integer("body_type_id") == typeID)
    #expect(try row.text("body_text") == text)
    #expect(try row.json("body") == json)
}

@Test(
    arguments: [
        // time, observed; stored time and observed time, whether it was substituted
        (baseUnixNs, 0, baseUnixNs, nil, false),
        (0, baseUnixNs + 1, baseUnixNs + 1, baseUnixNs + 1, true),
        (0, 0, baseUnixNs + 5, nil, true),
    ] as [(UInt64, UInt64, UInt64, UInt64?, Bool)])
func timeOfALogRecord(
    timeUnixNs: UInt64, observedUnixNs: UInt64, storedUnixNs: UInt64, storedObservedUnixNs: UInt64?,
    isSubstituted: Bool
) throws {
    let bytes = request { $0.logRecord(timeUnixNs: timeUnixNs) { $0.fixed64(11, observedUnixNs) } }
    let row = try #require(try rows(.logs, .logs, bytes).first)
    #expect(try row.integer("time_unix_nano") == Int64(storedUnixNs))
    #expect(try row.integer("observed_time_unix_nano") == storedObservedUnixNs.map { Int64($0) })
    #expect(try row.raw("time_is_substituted") == (isSubstituted ? [1] : nil))
}

@Test(
    arguments: [[], [1], Array(repeating: 0, count: 16), Array(repeating: 7, count: 17)]
        as [[UInt8]])
func aLogRecordIsStoredWithoutAnInvalidTrace(traceID: [UInt8]) throws {
    let bytes = request { scope in
        scope.logRecord {
            $0.bytes(9, traceID)
            $0.bytes(10, Array(traceID.prefix(8)))
        }
    }
    let row = try #require(try rows(.logs, .logs, bytes).first)
    #expect(try row.raw("trace_id") == nil)
}

@Test func logIDsGoOnFromRecordToRecord() throws {
    let bytes = request { scope in for _ in 0..<3 { scope.logRecord() } }
    #expect(
        try rows(.logs, .logs, bytes).map { try $0.integer("log_id") } == [1_000, 1_001, 1_002])
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Testing

// Goal: every column of otel_spans_fact holds what the span said. Method: a span with everything
// set, a span with nothing set, and the differences that single columns make, read back from the
// COPY bytes.

@Test func everythingThatASpanSays() throws {
    let bytes = request { scope in
        scope.span(attributes: ["http.route": .string("/a"), "n": .int(7)]) { span in
            span.text(3, "vendor=1")
            span.bytes(4, [0xff, 0, 0, 0, 0, 0, 0, 1])
            span.fixed32(16, 0xffff_ff01)
            span.number(10, 4_294_967_295)
            span.number(12, 2)
            span.number(14, 3)
            span.message(11) { event in
                event.fixed64(1, UInt64.max)
                event.text(2, "exception")
                event.attributes(3, ["stack": .string("a\nb")])
                event.number(4, 9)
            }
            span.message(11)
            span.message(13) { link in
                link.bytes(1, [0xab, 0xcd])
                link.bytes(2, sampleSpanID)
                link.text(3, "x=y")
                link.attributes(4, ["k": .empty])
                link.number(5, 1)
                link.fixed32(6, 256)
            }
            span.message(15) { status in
                status.text(2, "broken")
                status.number(3, 2)
            }
        }
    }
    let row = try #require(try rows(.traces, .spans, bytes).first)
    #expect(try row.integer("start_time_unix_nano") == Int64(baseUnixNs))
    #expect(try row.integer("end_time_unix_nano") == Int64(baseUnixNs) + 1_000)
    #expect(try row.raw("span_id") == sampleSpanID)
    #expect(try row.raw("parent_span_id") == [0xff, 0, 0, 0, 0, 0, 0, 1])
    #expect(try row.raw("trace_id") == sampleTraceID)
    #expect(try row.integer("resource_id") == 1)
    #expect(try row.integer("scope_id") == 2)
    #expect(try row.integer("operation_id") == 3)
    #expect(try row.integer("kind_id") == nil)
    #expect(try row.text("name") == nil)
    #expect(try row.raw("flags") == [0xff, 0xff, 0xff, 1])
    #expect(try row.integer("status_code_id") == 2)
    #expect(try row.integer("dropped_attributes_count") == -1)
    #expect(try row.integer("dropped_events_count") == 2)
    #expect(try row.integer("dropped_links_count") == 3)
    #expect(try row.text("trace_state") == "vendor=1")
    #expect(try row.text("status_message") == "broken")
    #expect(try row.json("attributes") == #"{"http.route":"/a","n":7}"#)
    #expect(
        try row.json("events") == #"[{"time_unix_nano":18446744073709551615,"name":"exception","#
            + #""attributes":{"stack":"a\nb"},"dropped_attributes_count":9},{}]"#)
    #expect(
        try row.json("links")
            == #"[{"trace_id":"abcd","span_id":"8002030405060708","trace_state":"x=y","#
            + #""attributes":{"k":null},"dropped_attributes_count":1,"flags":256}]"#)
}

@Test func whatASpanDoesNotSayIsNull() throws {
    let row = try #require(try rows(.traces, .spans, request { $0.span() }).first)
    let nullColumns = [
        "parent_span_id", "kind_id", "flags", "status_code_id", "dropped_attributes_count",
        "dropped_events_count", "dropped_links_count", "name", "trace_state", "status_message",
        "attributes", "events", "links",
    ]
    for column in nullColumns { #expect(try row.raw(column) == nil, "\(column)") }
}

@Test(
    arguments: [
        ([], nil), ([0, 0, 0, 0, 0, 0, 0, 0], nil), ([0, 0, 0, 0, 0, 0, 0, 1], 1),
        ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -1),
    ] as [([UInt8], Int64?)])
func parentSpanID(bytes: [UInt8], expected: Int64?) throws {
    let row = try #require(
        try rows(.traces, .spans, request { $0.span { $0.bytes(4, bytes) } }).first)
    #expect(try row.integer("parent_span_id") == expected)
}

@Test func aStatusWithoutCodeIsUnsetAndNotAbsent() throws {
    let row = try #require(try rows(.traces, .spans, request { $0.span { $0.message(15) } }).first)
    #expect(try row.integer("status_code_id") == 0)
    #expect(try row.text("status_message") == nil)
}

@Test(arguments: [(0, true), (256, true), (257, false)])
func namesThatAreTooLongStandOnTheRow(nameSizeBytes: Int, isOperation: Bool) throws {
    let name = String(repeating: "n", count: nameSizeBytes)
    let row = try #require(try rows(.traces, .spans, request { $0.span(name: name) }).first)
    #expect(try (row.integer("operation_id") != nil) == isOperation)
    #expect(try row.text("name") == (isOperation ? nil : name))
    #expect(try row.integer("kind_id") == (isOperation ? nil : 2))
}

@Test func aScopeThatSaysNothingIsNullAndAResourceIsNot() throws {
    let bytes = WireWriter { request in
        request.message(1) { $0.message(2) { $0.span() } }
        request.message(1) { envelope in
            envelope.message(1)
            envelope.message(2) { scope in
                scope.span()
                scope.text(3, "https://schema")
            }
        }
    }.bytes
    let all = try rows(.traces, .spans, bytes)
    #expect(all.count == 2)
    // An absent resource and an empty one are the same.
    #expect(try all[0].integer("resource_id") == 1 && all[1].integer("resource_id") == 1)
    #expect(try all[0].integer("scope_id") == nil)
    #expect(try all[1].integer("scope_id") != nil)
}

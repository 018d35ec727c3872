// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: each field of the schema comes out of the view that is named after it. Method: one message
// of each type with every field set to a value of its own.

private func text(_ slice: ByteSlice) -> String { slice.string }

private func keys(_ attributes: WireMessageList<KeyValueView>) -> [String] {
    attributes.map { text($0.key) }
}

@Test func resourceAndScopeFields() throws {
    let bytes = WireWriter { request in
        request.message(1) { group in
            group.message(1) { resource in
                resource.attribute(1, "service.name")
                resource.number(2, 7)
                resource.message(3) { entity in
                    entity.text(1, "url")
                    entity.text(2, "service")
                    for key in ["a", "b", "c"] { entity.text(3, key) }
                    entity.text(4, "d")
                }
            }
            group.message(2) { scope in
                scope.message(1) {
                    $0.text(1, "library")
                    $0.text(2, "1.2")
                    $0.attribute(3, "scope.key")
                    $0.number(4, 8)
                }
                scope.text(3, "scope schema")
            }
            group.text(3, "resource schema")
        }
    }.bytes
    let export = try decode(bytes)
    let group = export.resourceSpans[0]
    #expect(text(group.schemaURL) == "resource schema")
    let resource = try #require(group.resource)
    #expect(keys(resource.attributes) == ["service.name"])
    #expect(resource.droppedAttributesCount == 7)
    let entity = resource.entityRefs[0]
    #expect(text(entity.schemaURL) == "url")
    #expect(text(entity.type) == "service")
    #expect(entity.idKeys.map(text) == ["a", "b", "c"])
    #expect(entity.descriptionKeys.map(text) == ["d"])
    #expect(text(group.scopeSpans[0].schemaURL) == "scope schema")
    let scope = try #require(group.scopeSpans[0].scope)
    #expect(text(scope.name) == "library")
    #expect(text(scope.version) == "1.2")
    #expect(keys(scope.attributes) == ["scope.key"])
    #expect(scope.droppedAttributesCount == 8)
}

@Test func spanFields() throws {
    let bytes = request {
        $0.message(2) { span in
            span.bytes(1, [1])
            span.bytes(2, [2])
            span.text(3, "state")
            span.bytes(4, [4])
            span.text(5, "name")
            span.number(6, 3)
            span.fixed64(7, 7)
            span.fixed64(8, .max)
            span.attribute(9, "attribute")
            span.number(10, 10)
            span.message(11) {
                $0.fixed64(1, 111)
                $0.text(2, "event")
                $0.attribute(3, "event attribute")
                $0.number(4, 114)
            }
            span.number(12, 12)
            span.message(13) {
                $0.bytes(1, [131])
                $0.bytes(2, [132])
                $0.text(3, "link state")
                $0.attribute(4, "link attribute")
                $0.number(5, 135)
                $0.fixed32(6, .max)
            }
            span.number(14, 14)
            span.message(15) {
                $0.text(2, "message")
                $0.number(3, 2)
            }
            span.fixed32(16, 0x301)
        }
    }
    let export = try decode(bytes)
    let span = export.resourceSpans[0].scopeSpans[0].spans[0]
    #expect([span.traceID[0], span.spanID[0], span.parentSpanID[0]] == [1, 2, 4])
    #expect(text(span.traceState) == "state")
    #expect(text(span.name) == "name")
    #expect(span.kind == 3)
    #expect(span.startTimeUnixNano == 7)
    #expect(span.endTimeUnixNano == .max)
    #expect(keys(span.attributes) == ["attribute"])
    #expect(span.droppedAttributesCount == 10)
    #expect(span.droppedEventsCount == 12)
    #expect(span.droppedLinksCount == 14)
    #expect(span.flags == 0x301)
    let status = try #require(span.status)
    #expect(text(status.message) == "message")
    #expect(status.code == 2)
    let event = span.events[0]
    #expect(event.timeUnixNano == 111)
    #expect(text(event.name) == "event")
    #expect(keys(event.attributes) == ["event attribute"])
    #expect(event.droppedAttributesCount == 114)
    let link = span.links[0]
    #expect([link.traceID[0], link.spanID[0]] == [131, 132])
    #expect(text(link.traceState) == "link state")
    #expect(keys(link.attributes) == ["link attribute"])
    #expect(link.droppedAttributesCount == 135)
    #expect(link.flags == .max)
}

@Test func logRecordFields() throws {
    let bytes = request {
        $0.message(2) { record in
            record.fixed64(1, 1)
            record.number(2, 17)
            record.text(3, "ERROR")
            record.message(5) { $0.text(1, "body") }
            record.attribute(6, "attribute")
            record.number(7, 7)
            record.fixed32(8, 8)
            record.bytes(9, [9])
            record.bytes(10, [10])
            record.fixed64(11, 11)
            record.text(12, "event")
        }
    }
    let export = try decode(bytes, .logs)
    let record = export.resourceLogs[0].scopeLogs[0].logRecords[0]
    #expect(record.timeUnixNano == 1)
    #expect(record.observedTimeUnixNano == 11)
    #expect(record.severityNumber == 17)
    #expect(text(record.severityText) == "ERROR")
    #expect(keys(record.attributes) == ["attribute"])
    #expect(record.droppedAttributesCount == 7)
    #expect(record.flags == 8)
    #expect([record.traceID[0], record.spanID[0]] == [9, 10])
    #expect(text(record.eventName) == "event")
    guard case .string("body")? = record.body.map(ValueForm.init) else {
        Issue.record("not the body")
        return
    }
}

/// An `AnyValue` as a value that can be compared.
private indirect enum ValueForm: Equatable {
    case none, string(String), bool(Bool), int(Int64), double(Double), bytes([UInt8])
    case array([ValueForm]), kvlist([String: ValueForm])

    init(_ value: AnyValueView) {
        switch value.kind {
        case .none: self = .none
        case .string(let slice): self = .string(slice.string)
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .double(let number): self = .double(number)
        case .bytes(let slice): self = unsafe .bytes(Array(slice.buffer))
        case .array(let list): self = .array(list.map(ValueForm.init))
        case .kvlist(let list):
            self = .kvlist(
                Dictionary(
                    uniqueKeysWithValues: list.map {
                        ($0.key.string, $0.value.map(ValueForm.init) ?? .none)
                    }))
        }
    }
}

private let valueForms: [(write: @Sendable (inout WireWriter) -> Void, form: ValueForm)] = [
    ({ _ in }, .none),
    ({ $0.text(1, "") }, .string("")),
    ({ $0.text(1, "text") }, .string("text")),
    ({ $0.number(2, 0) }, .bool(false)),
    ({ $0.number(2, 1) }, .bool(true)),
    ({ $0.number(3, UInt64(bitPattern: -1)) }, .int(-1)),
    ({ $0.number(3, UInt64(bitPattern: .min)) }, .int(.min)),
    ({ $0.double(4, -0.5) }, .double(-0.5)),
    ({ $0.bytes(7, []) }, .bytes([])),
    ({ $0.bytes(7, [0, 255]) }, .bytes([0, 255])),
    ({ $0.number(8, 5) }, .none),
    ({ $0.message(5) }, .array([])),
    ({ $0.message(6) }, .kvlist([:])),
    (
        {
            $0.message(5) { list in
                list.message(1)
                list.message(1) { $0.number(3, 1) }
                list.message(1) { $0.message(5) { $0.message(1) { $0.text(1, "x") } } }
            }
        }, .array([.none, .int(1), .array([.string("x")])])
    ),
    (
        {
            $0.message(6) { list in
                list.attribute(1, "a") { $0.number(2, 1) }
                list.message(1) { $0.text(1, "b") }
            }
        }, .kvlist(["a": .bool(true), "b": .none])
    ),
]

@Test(arguments: valueForms.indices)
func anyValueForms(index: Int) throws {
    let value = WireWriter(valueForms[index].write).bytes
    let export = try decode(request(attributeValue: value))
    let pair = export.resourceSpans[0].scopeSpans[0].spans[0].attributes[0]
    #expect(try ValueForm(#require(pair.value)) == valueForms[index].form)
}

@Test func absentMessagesAreNil() throws {
    let traces = try decode(request { $0.message(2) { $0.message(9) } })
    let group = traces.resourceSpans[0]
    #expect(group.resource == nil)
    #expect(group.scopeSpans[0].scope == nil)
    let span = group.scopeSpans[0].spans[0]
    #expect(span.status == nil)
    #expect(span.attributes[0].value == nil)
    #expect(span.name.isEmpty && span.traceID.isEmpty && span.attributes[0].key.isEmpty)
    #expect(span.events.isEmpty && span.links.isEmpty)
    let logs = try decode(request { $0.message(2) }, .logs)
    #expect(logs.resourceLogs[0].scopeLogs[0].logRecords[0].body == nil)
}

@Test func anExportHasOnlyItsOwnSignal() throws {
    let export = try decode(request { $0.message(2) }, .logs)
    #expect(export.resourceLogs.count == 1)
    #expect(export.resourceSpans.isEmpty)
    #expect(export.resourceMetrics.isEmpty)
}

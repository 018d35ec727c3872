// SPDX-License-Identifier: Apache-2.0
import Base
import COTLP
import Testing

@testable import Decode

// Goal: the tables of the pre-scan say what the published schema says, strings and bytes included,
// which the generated C code cannot tell apart. Method: both are walked side by side from the
// requests down; the schema comes from the descriptors that reflection serves.

/// A field as a `FieldDescriptorProto` describes it.
private struct PublishedField {
    var number = 0
    var type = 0
    var isRepeated = false
    var typeName = ""
}

/// `FieldDescriptorProto.Type`.
private enum PublishedType {
    static let double = 1, int64 = 3, uint64 = 4, int32 = 5, fixed64 = 6, fixed32 = 7, bool = 8
    static let string = 9, message = 11, bytes = 12, uint32 = 13, enumeration = 14, sfixed64 = 16,
        sint32 = 17
}

/// Reads the few fields of descriptors that matter here.
private struct PublishedSchema {
    /// Fields by the full name of their message, which begins with a dot.
    var messages: [String: [PublishedField]] = [:]

    init() {
        for index in 0..<cotlp_descriptor_count() {
            guard let file = unsafe cotlp_descriptor_at(index)?.pointee else { continue }
            let bytes = unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.size_bytes))
            let fields = WireReader(bytes).fields()
            let package = fields.first { $0.number == 2 }?.text ?? ""
            for message in fields where message.number == 4 {
                add(message.bytes, inside: "." + package)
            }
        }
    }

    private mutating func add(_ descriptor: [UInt8], inside scope: String) {
        let fields = WireReader(descriptor).fields()
        let name = scope + "." + (fields.first { $0.number == 1 }?.text ?? "")
        for nested in fields where nested.number == 3 { add(nested.bytes, inside: name) }
        messages[name] = fields.filter { $0.number == 2 }.map { field in
            var published = PublishedField()
            for part in WireReader(field.bytes).fields() {
                switch part.number {
                case 3: published.number = part.varint
                case 4: published.isRepeated = part.varint == 3
                case 5: published.type = part.varint
                case 6: published.typeName = part.text
                default: break
                }
            }
            return published
        }
    }
}

/// The kind that a field of the message named `owner` must have: attributes and bodies stay on the
/// wire, but for those inside of them.
private func kind(of field: PublishedField, in owner: String) -> FieldKind {
    typealias T = PublishedType
    let common = ".opentelemetry.proto.common.v1."
    let isInside = ["KeyValue", "KeyValueList", "ArrayValue", "AnyValue"]
        .contains { owner == common + $0 }
    if !isInside, field.typeName == common + "KeyValue" { return .repeatedWireMessage }
    if !isInside, field.typeName == common + "AnyValue" { return .wireMessage }
    switch (field.type, field.isRepeated) {
    case (T.string, false): return .text
    case (T.string, true): return .repeatedText
    case (T.bytes, false): return .bytes
    case (T.message, false): return .message
    case (T.message, true): return .repeatedMessage
    case (T.double, false), (T.fixed64, false), (T.sfixed64, false): return .fixed64
    case (T.double, true), (T.fixed64, true): return .repeatedFixed64
    case (T.fixed32, false): return .fixed32
    case (T.uint64, true): return .repeatedVarint
    case (T.int64, false), (T.uint64, false), (T.int32, false), (T.uint32, false), (T.bool, false),
        (T.enumeration, false), (T.sint32, false):
        return .varint
    default: return .unknown
    }
}

private let roots: [(Signal, String)] = [
    (.traces, ".opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest"),
    (.logs, ".opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"),
    (.metrics, ".opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"),
]

@Test(arguments: roots.indices)
func tablesMatchThePublishedSchema(root: Int) throws {
    let (signal, rootName) = roots[root]
    let grammar = WireGrammar.shared
    let schema = PublishedSchema()
    var pending = [(grammar.rootIndex(signal), rootName)]
    var visited: Set<String> = []
    while let (index, name) = pending.popLast() {
        guard visited.insert(name).inserted else { continue }
        let fields = try #require(schema.messages[name])
        for number in 0..<WireGrammar.fieldNumberEnd {
            let rule = unsafe grammar.rules(index)[number]
            guard let field = fields.first(where: { $0.number == number }) else {
                #expect(rule.kind == .unknown, "\(name) \(number)")
                continue
            }
            #expect(
                rule.kind == kind(of: field, in: name) && rule.kind != .unknown, "\(name) \(number)"
            )
            if rule.kind.isMessage {
                pending.append((rule.child, field.typeName))
            }
        }
    }
    // The walk has seen the schema, not an empty one.
    #expect(visited.count >= 10)
}

// Goal: the short cut for attributes reads the fields that it takes for key, value and scalars.
@Test func tagsOfTheShortCutMatchTheTables() {
    let grammar = WireGrammar.shared
    func kind(_ message: UInt8, _ tag: UInt8) -> FieldKind? {
        let rule = unsafe grammar.rules(message)[Int(tag >> 3)]
        return rule.wireType == tag & 7 ? rule.kind : nil
    }
    let pair = grammar.keyValue
    #expect(kind(pair, PairTag.key) == .text)
    #expect(kind(pair, PairTag.value) == .message)
    let value = unsafe grammar.rules(pair)[Int(PairTag.value >> 3)].child
    #expect(kind(value, PairTag.stringValue) == .text)
    #expect(kind(value, PairTag.boolValue) == .varint)
    #expect(kind(value, PairTag.intValue) == .varint)
    #expect(kind(value, PairTag.doubleValue) == .fixed64)
}

// Goal: a known field of any other wire type than its own is refused. Method: every field of every
// message that a span, a log record or a metric leads to, times every wire type. The field stands
// alone in its message, whose path from the request is found by the tables.
@Test(arguments: Signal.allCases)
func wireTypesOfKnownFields(signal: Signal) {
    let grammar = WireGrammar.shared
    var paths: [(message: UInt8, path: [Int])] = [(grammar.rootIndex(signal), [])]
    var visited: Set<UInt8> = [grammar.rootIndex(signal)]
    var position = 0
    while position < paths.count {
        let (message, path) = paths[position]
        position += 1
        for number in 1..<WireGrammar.fieldNumberEnd {
            let rule = unsafe grammar.rules(message)[number]
            for wireType in [
                WireType.varint, WireType.fixed64, WireType.lengthDelimited, WireType.fixed32,
            ] {
                let bytes = path.reversed().reduce(into: field(number, wireType)) { bytes, number in
                    bytes = WireWriter { $0.bytes(number, bytes) }.bytes
                }
                let isValid = isAllowed(rule.kind, wireType)
                #expect(
                    (refusalMessage(bytes, signal) == nil) == isValid,
                    "\(path) \(number): \(wireType)")
            }
            if rule.kind.isMessage, visited.insert(rule.child).inserted {
                paths.append((rule.child, path + [number]))
            }
        }
    }
    #expect(visited.count >= 10)
}

/// A field with a value of `wireType` that is valid content for every kind of field.
private func field(_ number: Int, _ wireType: Int) -> [UInt8] {
    WireWriter { field in
        switch wireType {
        case WireType.varint: field.number(number, 1)
        case WireType.fixed64: field.fixed64(number, 1)
        case WireType.lengthDelimited: field.bytes(number, [])
        default: field.fixed32(number, 1)
        }
    }.bytes
}

private func isAllowed(_ kind: FieldKind, _ wireType: Int) -> Bool {
    switch kind {
    case .unknown: true
    case .varint: wireType == WireType.varint
    case .fixed32: wireType == WireType.fixed32
    case .fixed64: wireType == WireType.fixed64
    case .bytes, .text, .repeatedText, .message, .repeatedMessage, .wireMessage,
        .repeatedWireMessage:
        wireType == WireType.lengthDelimited
    case .repeatedVarint: wireType == WireType.lengthDelimited || wireType == WireType.varint
    case .repeatedFixed64: wireType == WireType.lengthDelimited || wireType == WireType.fixed64
    }
}

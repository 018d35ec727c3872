// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// What the pre-scan has to do with the value of a field.
enum FieldKind: UInt8 {
    /// Not in the schema: protobuf-c keeps a copy, nobody reads it.
    case unknown
    case varint, fixed32, fixed64
    /// A proto `bytes` field: copied, not checked.
    case bytes
    /// A proto `string` field: copied, and checked for NUL and UTF-8.
    case text, repeatedText
    /// A sub-message of which there may be only one (`FieldRule.bit` says which one).
    case message
    case repeatedMessage
    /// Repeated numbers of 8 bytes, packed or not; varints on the wire, or fixed64 and double.
    case repeatedVarint, repeatedFixed64
}

/// One field of one message type, as the pre-scan sees it.
struct FieldRule: BitwiseCopyable {
    var kind: FieldKind
    /// Wire type of the usual encoding: packed for repeated numbers.
    var wireType: UInt8
    /// Index of the sub-message's type in `WireGrammar.messages`.
    var child: UInt8
    /// `message`: its bit among the singular ones of its owner, shared by the members of a oneof.
    /// Repeated: its bit among the repeated ones.
    var bit: UInt8

    /// Its wire type is none that exists: an unknown field never is as expected.
    static let unknown = FieldRule(kind: .unknown, wireType: .max, child: 0, bit: 0)
}

/// The level at which a text fault is noted.
enum FaultLevel: UInt8 {
    case resource, scope, metric, item
}

/// One message type, as the pre-scan sees it.
struct MessageRule: BitwiseCopyable {
    /// Bytes that the C struct takes in the arena, rounded up to the arena's alignment.
    var structSizeBytes: UInt16
    var role: MessageRole
}

/// What the scan does when a message begins.
enum MessageRole: BitwiseCopyable, Equatable {
    case plain
    /// One more level of nesting, which is limited.
    case anyValue
    /// The next resource, scope, metric or item.
    case opens(FaultLevel)
}

/// The schema in the form in which the pre-scan reads it: a small table per message type.
///
/// It is derived from the very descriptors by which protobuf-c unpacks, so that the two cannot
/// disagree about numbers, types and sizes. What the descriptors do not say (strings are generated
/// as bytes, and the meaning of the types is ours) is in the lists at the end. Built once;
/// immutable; lives as long as the process.
@safe
final class WireGrammar: @unchecked Sendable {
    /// Fields from this number on are not in the schema.
    static let fieldNumberEnd = 32
    static let shared = WireGrammar()

    /// `fieldNumberEnd` rules for each message type.
    let fields: UnsafePointer<FieldRule>
    let messages: UnsafePointer<MessageRule>
    let unpackModel: UnpackModel
    /// The index of `KeyValue` among `messages`.
    let keyValue: UInt8
    /// Bytes of arena for the structs of a `KeyValue` and its `AnyValue`.
    let pairStructsSizeBytes: Int

    private let roots: [(descriptor: UnsafePointer<ProtobufCMessageDescriptor>, index: UInt8)]

    private init() {
        let rootDescriptors = unsafe Self.rootDescriptors()
        var builder = WireGrammarBuilder()
        unsafe roots = rootDescriptors.map { unsafe (descriptor: $0, index: builder.index(of: $0)) }
        builder.addFields()
        unsafe fields = builder.copyFields()
        unsafe messages = builder.copyMessages()
        keyValue = builder.index(named: "KeyValue")
        let pair = [keyValue, builder.index(named: "AnyValue")].map { builder.messages[Int($0)] }
        pairStructsSizeBytes = pair.map { Int($0.structSizeBytes) }.reduce(0, +)
        unsafe unpackModel = UnpackModel(measuredWith: builder.descriptors[Int(keyValue)])
    }

    /// The descriptor of a signal's request, for protobuf-c.
    func rootDescriptor(_ signal: Signal) -> UnsafePointer<ProtobufCMessageDescriptor> {
        unsafe roots[Int(signal.rawValue)].descriptor
    }

    /// The index of a signal's request among `messages`.
    func rootIndex(_ signal: Signal) -> UInt8 { unsafe roots[Int(signal.rawValue)].index }

    /// In the order of `Signal`. An initialised message points to its descriptor; C constants have
    /// no address in Swift.
    private static func rootDescriptors() -> [UnsafePointer<ProtobufCMessageDescriptor>] {
        var traces = unsafe Otlp__ExportTraceServiceRequest()
        unsafe otlp__export_trace_service_request__init(&traces)
        var logs = unsafe Otlp__ExportLogsServiceRequest()
        unsafe otlp__export_logs_service_request__init(&logs)
        var metrics = unsafe Otlp__ExportMetricsServiceRequest()
        unsafe otlp__export_metrics_service_request__init(&metrics)
        return unsafe [traces.base.descriptor, logs.base.descriptor, metrics.base.descriptor]
    }
}

/// Walks the descriptors from the requests down.
@safe
private struct WireGrammarBuilder {
    var descriptors: [UnsafePointer<ProtobufCMessageDescriptor>] = unsafe []
    var messages: [MessageRule] = []
    var fields: [FieldRule] = []

    /// The index of a message type, which is added when it is new.
    mutating func index(of descriptor: UnsafePointer<ProtobufCMessageDescriptor>) -> UInt8 {
        if let known = unsafe descriptors.firstIndex(of: descriptor) { return UInt8(known) }
        unsafe descriptors.append(descriptor)
        let name = unsafe String(cString: descriptor.pointee.short_name)
        let sizeBytes = unsafe UnpackModel.rounded(Int(descriptor.pointee.sizeof_message))
        messages.append(
            MessageRule(
                structSizeBytes: UInt16(sizeBytes), role: Self.role(ofMessageNamed: name)))
        return UInt8(messages.count - 1)
    }

    /// The index of the message type of that name, which must have been reached.
    func index(named name: String) -> UInt8 {
        let position = unsafe descriptors.firstIndex {
            unsafe String(cString: $0.pointee.short_name) == name
        }
        return UInt8(position!)
    }

    /// Fills the rules of every message type that can be reached.
    mutating func addFields() {
        var messageIndex = 0
        while messageIndex < messages.count {
            addFields(of: messageIndex)
            messageIndex += 1
        }
    }

    private mutating func addFields(of messageIndex: Int) {
        var rules = [FieldRule](repeating: .unknown, count: WireGrammar.fieldNumberEnd)
        let descriptor = unsafe descriptors[messageIndex].pointee
        var singularGroups: [UInt32] = []
        var repeatedCount = 0
        for position in unsafe 0..<Int(descriptor.n_fields) {
            let field = unsafe descriptor.fields[position]
            unsafe precondition(
                field.id < WireGrammar.fieldNumberEnd, "a field number is beyond the table")
            var rule = unsafe rule(for: field)
            switch rule.kind {
            case .message:
                // The members of a oneof share the place where their case is kept.
                let isOneof = unsafe field.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
                let group = unsafe isOneof ? field.quantifier_offset : field.offset
                if !singularGroups.contains(group) { singularGroups.append(group) }
                rule.bit = 1 << UInt8(singularGroups.firstIndex(of: group)!)
                precondition(singularGroups.count <= 8, "more singular sub-messages than bits")
            case .repeatedMessage, .repeatedText, .repeatedVarint, .repeatedFixed64:
                precondition(repeatedCount < 8, "more repeated fields than bits")
                rule.bit = 1 << UInt8(repeatedCount)
                repeatedCount += 1
            default:
                break
            }
            unsafe rules[Int(field.id)] = rule
        }
        fields += rules
    }

    private mutating func rule(for field: ProtobufCFieldDescriptor) -> FieldRule {
        let isRepeated = unsafe field.label == PROTOBUF_C_LABEL_REPEATED
        switch unsafe field.type {
        case PROTOBUF_C_TYPE_MESSAGE:
            let child = unsafe field.descriptor.assumingMemoryBound(
                to: ProtobufCMessageDescriptor.self)
            return FieldRule(
                kind: isRepeated ? .repeatedMessage : .message, wireType: 2,
                child: unsafe index(of: child), bit: 0)
        case PROTOBUF_C_TYPE_BYTES:
            let name = unsafe String(cString: field.name)
            let isText = !Self.byteFieldNames.contains(name)
            precondition(isText || !isRepeated, "repeated bytes are not modelled")
            let kind = isRepeated ? FieldKind.repeatedText : isText ? .text : .bytes
            return FieldRule(kind: kind, wireType: 2, child: 0, bit: 0)
        case PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_DOUBLE:
            return isRepeated
                ? FieldRule(kind: .repeatedFixed64, wireType: 2, child: 0, bit: 0)
                : FieldRule(kind: .fixed64, wireType: 1, child: 0, bit: 0)
        case PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FLOAT:
            precondition(!isRepeated, "repeated numbers of 4 bytes are not modelled")
            return FieldRule(kind: .fixed32, wireType: 5, child: 0, bit: 0)
        case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64:
            return isRepeated
                ? FieldRule(kind: .repeatedVarint, wireType: 2, child: 0, bit: 0)
                : FieldRule(kind: .varint, wireType: 0, child: 0, bit: 0)
        case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32,
            PROTOBUF_C_TYPE_ENUM, PROTOBUF_C_TYPE_BOOL:
            precondition(!isRepeated, "repeated numbers of 4 bytes are not modelled")
            return FieldRule(kind: .varint, wireType: 0, child: 0, bit: 0)
        default:
            preconditionFailure("strings must be generated as bytes")
        }
    }

    func copyFields() -> UnsafePointer<FieldRule> {
        let copy = UnsafeMutableBufferPointer<FieldRule>.allocate(capacity: fields.count)
        _ = unsafe copy.initialize(from: fields)
        return unsafe UnsafePointer(copy.baseAddress!)
    }

    func copyMessages() -> UnsafePointer<MessageRule> {
        let copy = UnsafeMutableBufferPointer<MessageRule>.allocate(capacity: messages.count)
        _ = unsafe copy.initialize(from: messages)
        return unsafe UnsafePointer(copy.baseAddress!)
    }

    /// The proto `bytes` fields; every other field that is generated as bytes is a `string` in the
    /// schema.
    private static let byteFieldNames: Set<String> = [
        "trace_id", "span_id", "parent_span_id", "bytes_value",
    ]

    private static func role(ofMessageNamed name: String) -> MessageRole {
        switch name {
        case "AnyValue": .anyValue
        case "ResourceSpans", "ResourceLogs", "ResourceMetrics": .opens(.resource)
        case "ScopeSpans", "ScopeLogs", "ScopeMetrics": .opens(.scope)
        case "Metric": .opens(.metric)
        case "Span", "LogRecord", "NumberDataPoint", "HistogramDataPoint",
            "ExponentialHistogramDataPoint", "SummaryDataPoint":
            .opens(.item)
        default: .plain
        }
    }
}

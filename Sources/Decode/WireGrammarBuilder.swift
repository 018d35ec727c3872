// SPDX-License-Identifier: Apache-2.0
internal import COTLP

/// Walks the descriptors from the requests down.
@safe
struct WireGrammarBuilder {
    private(set) var descriptors: [UnsafePointer<ProtobufCMessageDescriptor>] = unsafe []
    private(set) var messages: [MessageRule] = []
    private var fields: [FieldRule] = []

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

    /// Whether a message of these types has a string that is not inside a sub-message: a fault in
    /// it would belong to no resource.
    func hasText(in messageIndices: [UInt8]) -> Bool {
        messageIndices.contains { index in
            let first = Int(index) * WireGrammar.fieldNumberEnd
            return fields[first..<first + WireGrammar.fieldNumberEnd].contains {
                $0.kind == .text || $0.kind == .repeatedText
            }
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
            case .message, .wireMessage:
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
            if let child = unsafe Self.wireMessageDescriptor(ofFieldNamed: name) {
                return FieldRule(
                    kind: isRepeated ? .repeatedWireMessage : .wireMessage, wireType: 2,
                    child: unsafe index(of: child), bit: 0)
            }
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
    static let byteFieldNames = MessageJSON.hexFieldNames.union(["bytes_value"])

    /// The type of a message field that is generated as bytes; nil for other fields.
    static func wireMessageDescriptor(
        ofFieldNamed name: String
    ) -> UnsafePointer<ProtobufCMessageDescriptor>? {
        switch name {
        case "attributes", "filtered_attributes", "metadata":
            var pair = unsafe Otlp__KeyValue()
            unsafe otlp__key_value__init(&pair)
            return unsafe pair.base.descriptor
        case "body":
            var value = unsafe Otlp__AnyValue()
            unsafe otlp__any_value__init(&value)
            return unsafe value.base.descriptor
        default:
            return nil
        }
    }

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

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// One field of a message, as JSON names it and protobuf writes it.
struct JSONField {
    enum Kind {
        case message(UInt8)
        case text
        /// Bytes written as hexadecimal digits: ids.
        case hex
        case base64
        case bool
        case int32, sint32, int64, uint32, uint64
        /// Numbers only (OTLP specification, "JSON Protobuf Encoding").
        case enumeration
        case fixed32, fixed64, sfixed64
        case double
    }

    /// `startTimeUnixNano`.
    let camelName: [UInt8]
    /// `start_time_unix_nano`, which the JSON mapping of protobuf accepts as well.
    let originalName: [UInt8]
    let number: UInt32
    let kind: Kind
    let isRepeated: Bool
    /// Whether its default value is the same as none.
    let isImplicit: Bool
    /// A bit for the oneof that it belongs to, or 0.
    let oneofBit: UInt32

    func isNamed(_ name: ByteSlice) -> Bool {
        unsafe name.buffer.elementsEqual(camelName) || name.buffer.elementsEqual(originalName)
    }

    /// As protobuf writes one value of it.
    var wireType: UInt32 {
        switch kind {
        case .message, .text, .hex, .base64: UInt32(WireType.lengthDelimited)
        case .bool, .int32, .sint32, .int64, .uint32, .uint64, .enumeration:
            UInt32(WireType.varint)
        case .fixed32: UInt32(WireType.fixed32)
        case .fixed64, .sfixed64, .double: UInt32(WireType.fixed64)
        }
    }

    /// Whether values of a repeated field stand behind one tag.
    var isPacked: Bool { isRepeated && wireType != UInt32(WireType.lengthDelimited) }
}

/// A message type.
struct JSONMessage {
    let isAnyValue: Bool
    fileprivate(set) var fields: [JSONField]

    /// The index of the field called `name`, or nil. Members mostly come in the order of the
    /// schema: `hint` is where to look first.
    func fieldIndex(named name: ByteSlice, hint: Int) -> Int? {
        for offset in 0..<fields.count {
            let index = (hint + offset) % fields.count
            if fields[index].isNamed(name) { return index }
        }
        return nil
    }
}

/// The schema as the transcoder reads it, derived from the descriptors by which protobuf-c unpacks.
///
/// Built once; immutable.
final class JSONGrammar: Sendable {
    static let shared = JSONGrammar()

    let messages: [JSONMessage]
    private let roots: [UInt8]

    private init() {
        var builder = JSONGrammarBuilder()
        roots = Signal.allCases.map {
            unsafe builder.index(of: WireGrammar.shared.rootDescriptor($0))
        }
        builder.addFields()
        messages = builder.messages
    }

    /// The index of a signal's request among `messages`.
    func root(_ signal: Signal) -> UInt8 { roots[Int(signal.rawValue)] }
}

/// Walks the descriptors from the requests down.
@safe
private struct JSONGrammarBuilder {
    private var descriptors: [UnsafePointer<ProtobufCMessageDescriptor>] = unsafe []
    private(set) var messages: [JSONMessage] = []

    mutating func index(of descriptor: UnsafePointer<ProtobufCMessageDescriptor>) -> UInt8 {
        if let known = unsafe descriptors.firstIndex(of: descriptor) { return UInt8(known) }
        unsafe descriptors.append(descriptor)
        let name = unsafe String(cString: descriptor.pointee.short_name)
        messages.append(JSONMessage(isAnyValue: name == "AnyValue", fields: []))
        return UInt8(messages.count - 1)
    }

    mutating func addFields() {
        var messageIndex = 0
        while messageIndex < messages.count {
            let descriptor = unsafe descriptors[messageIndex].pointee
            var oneofs: [UInt32] = []
            for position in unsafe 0..<Int(descriptor.n_fields) {
                let field = unsafe descriptor.fields[position]
                unsafe precondition(field.id < WireGrammar.fieldNumberEnd)
                messages[messageIndex].fields.append(unsafe self.field(field, &oneofs))
            }
            messageIndex += 1
        }
    }

    private mutating func field(
        _ field: ProtobufCFieldDescriptor, _ oneofs: inout [UInt32]
    ) -> JSONField {
        let name = unsafe String(cString: field.name)
        var oneofBit: UInt32 = 0
        if unsafe field.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 {
            // Its members share the place where their case is kept.
            let group = unsafe field.quantifier_offset
            if !oneofs.contains(group) { oneofs.append(group) }
            oneofBit = 1 << UInt32(oneofs.firstIndex(of: group)!)
        }
        return unsafe JSONField(
            camelName: Array(MessageJSON.camelCase(name).utf8), originalName: Array(name.utf8),
            number: field.id, kind: kind(of: field, name),
            isRepeated: field.label == PROTOBUF_C_LABEL_REPEATED,
            isImplicit: field.label == PROTOBUF_C_LABEL_NONE && oneofBit == 0, oneofBit: oneofBit)
    }

    private mutating func kind(
        of field: ProtobufCFieldDescriptor, _ name: String
    ) -> JSONField.Kind {
        switch unsafe field.type {
        case PROTOBUF_C_TYPE_MESSAGE:
            let child = unsafe field.descriptor.assumingMemoryBound(
                to: ProtobufCMessageDescriptor.self)
            return .message(unsafe index(of: child))
        case PROTOBUF_C_TYPE_BYTES:
            if let child = unsafe WireGrammarBuilder.wireMessageDescriptor(ofFieldNamed: name) {
                return .message(unsafe index(of: child))
            }
            if MessageJSON.hexFieldNames.contains(name) { return .hex }
            return WireGrammarBuilder.byteFieldNames.contains(name) ? .base64 : .text
        case PROTOBUF_C_TYPE_BOOL: return .bool
        case PROTOBUF_C_TYPE_ENUM: return .enumeration
        case PROTOBUF_C_TYPE_INT32: return .int32
        case PROTOBUF_C_TYPE_SINT32: return .sint32
        case PROTOBUF_C_TYPE_INT64: return .int64
        case PROTOBUF_C_TYPE_UINT32: return .uint32
        case PROTOBUF_C_TYPE_UINT64: return .uint64
        case PROTOBUF_C_TYPE_FIXED32: return .fixed32
        case PROTOBUF_C_TYPE_FIXED64: return .fixed64
        case PROTOBUF_C_TYPE_SFIXED64: return .sfixed64
        case PROTOBUF_C_TYPE_DOUBLE: return .double
        default: preconditionFailure("a type that the schema does not use")
        }
    }
}

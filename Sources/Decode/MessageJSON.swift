// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

extension Export {
    /// The request as OTLP/JSON on one line: ids in hexadecimal, 64-bit integers as strings.
    ///
    /// What is no valid UTF-8 is replaced. For people and scripts: allocates freely.
    package var json: String { unsafe MessageJSON.text(rootMessage) }
}

/// Writes any message of the schema by its descriptor.
enum MessageJSON {
    /// Ids: OTLP/JSON has them in hexadecimal, where protobuf's mapping would have base64.
    static let hexFieldNames: Set<String> = ["trace_id", "span_id", "parent_span_id"]

    static func text(_ message: UnsafePointer<ProtobufCMessage>) -> String {
        var text = ""
        unsafe append(message, to: &text)
        return text
    }

    private static func append(_ message: UnsafePointer<ProtobufCMessage>, to text: inout String) {
        let descriptor = unsafe message.pointee.descriptor.pointee
        text += "{"
        var isFirst = true
        for index in 0..<Int(unsafe descriptor.n_fields) {
            let field = unsafe descriptor.fields[index]
            guard unsafe isSet(field, of: UnsafeRawPointer(message)) else { continue }
            if !isFirst { text += "," }
            isFirst = false
            let name = unsafe String(cString: field.name)
            text += "\"\(camelCase(name))\":"
            unsafe appendMember(field, name, of: UnsafeRawPointer(message), to: &text)
        }
        text += "}"
    }

    private static func isSet(
        _ field: ProtobufCFieldDescriptor, of message: UnsafeRawPointer
    ) -> Bool {
        let quantifier = unsafe message + Int(field.quantifier_offset)
        let value = unsafe message + Int(field.offset)
        if unsafe field.label == PROTOBUF_C_LABEL_REPEATED {
            return unsafe quantifier.load(as: Int.self) > 0
        }
        if unsafe field.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 {
            return unsafe quantifier.load(as: UInt32.self) == field.id
        }
        switch unsafe field.type {
        case PROTOBUF_C_TYPE_MESSAGE: return unsafe value.load(as: UnsafeRawPointer?.self) != nil
        case PROTOBUF_C_TYPE_BYTES: return unsafe value.load(as: ProtobufCBinaryData.self).len > 0
        default: break
        }
        if unsafe field.label == PROTOBUF_C_LABEL_OPTIONAL {
            return unsafe quantifier.load(as: Int32.self) != 0
        }
        return unsafe sizeBytes(field) == 8
            ? unsafe value.load(as: UInt64.self) != 0 : unsafe value.load(as: UInt32.self) != 0
    }

    private static func sizeBytes(_ field: ProtobufCFieldDescriptor) -> Int {
        switch unsafe field.type {
        case PROTOBUF_C_TYPE_MESSAGE: unsafe MemoryLayout<UnsafeRawPointer>.stride
        case PROTOBUF_C_TYPE_BYTES: unsafe MemoryLayout<ProtobufCBinaryData>.stride
        case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64,
            PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_DOUBLE:
            8
        default: 4
        }
    }

    private static func appendMember(
        _ field: ProtobufCFieldDescriptor, _ name: String, of message: UnsafeRawPointer,
        to text: inout String
    ) {
        let value = unsafe message + Int(field.offset)
        guard unsafe field.label == PROTOBUF_C_LABEL_REPEATED else {
            return unsafe appendValue(field, name, at: value, to: &text)
        }
        let count = unsafe (message + Int(field.quantifier_offset)).load(as: Int.self)
        let first = unsafe value.load(as: UnsafeRawPointer.self)
        text += "["
        for index in 0..<count {
            if index > 0 { text += "," }
            unsafe appendValue(field, name, at: first + index * sizeBytes(field), to: &text)
        }
        text += "]"
    }

    private static func appendValue(
        _ field: ProtobufCFieldDescriptor, _ name: String, at value: UnsafeRawPointer,
        to text: inout String
    ) {
        switch unsafe field.type {
        case PROTOBUF_C_TYPE_MESSAGE:
            unsafe append(value.load(as: UnsafePointer<ProtobufCMessage>.self), to: &text)
        case PROTOBUF_C_TYPE_BYTES:
            let data = unsafe value.load(as: ProtobufCBinaryData.self)
            if let child = unsafe WireGrammarBuilder.wireMessageDescriptor(ofFieldNamed: name) {
                return unsafe appendUnpacked(data, child, to: &text)
            }
            unsafe append(ByteSlice(base: data.data, count: data.len), name, to: &text)
        case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
            text += "\"\(unsafe value.load(as: Int64.self))\""
        case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
            text += "\"\(unsafe value.load(as: UInt64.self))\""
        case PROTOBUF_C_TYPE_DOUBLE:
            append(unsafe value.load(as: Double.self), to: &text)
        case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
            text += "\(unsafe value.load(as: UInt32.self))"
        case PROTOBUF_C_TYPE_BOOL:
            text += unsafe value.load(as: Int32.self) != 0 ? "true" : "false"
        default:
            text += "\(unsafe value.load(as: Int32.self))"
        }
    }

    /// A message that stayed on the wire, which the scan has accepted.
    private static func appendUnpacked(
        _ data: ProtobufCBinaryData, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
        to text: inout String
    ) {
        let message = unsafe protobuf_c_message_unpack(descriptor, nil, data.len, data.data)
        guard let message = unsafe message else { return text += "null" }
        defer { unsafe protobuf_c_message_free_unpacked(message, nil) }
        unsafe append(message, to: &text)
    }

    private static func append(_ number: Double, to text: inout String) {
        if number.isFinite {
            text += "\(number)"
        } else {
            text += number.isNaN ? "\"NaN\"" : number < 0 ? "\"-Infinity\"" : "\"Infinity\""
        }
    }

    private static func append(_ bytes: ByteSlice, _ name: String, to text: inout String) {
        text += "\""
        if hexFieldNames.contains(name) {
            for offset in 0..<bytes.count {
                let digits = String(bytes[offset], radix: 16)
                text += bytes[offset] < 16 ? "0" + digits : digits
            }
        } else if name == "bytes_value" {
            Base64.encode(bytes, isPadded: true) { text.unicodeScalars.append(Unicode.Scalar($0)) }
        } else {
            appendEscaped(bytes.string, to: &text)
        }
        text += "\""
    }

    private static func appendEscaped(_ content: String, to text: inout String) {
        for scalar in content.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    static func camelCase(_ name: String) -> String {
        var camel = ""
        var isUpper = false
        for character in name {
            if character == "_" {
                isUpper = true
            } else {
                camel += isUpper ? character.uppercased() : String(character)
                isUpper = false
            }
        }
        return camel
    }
}

// SPDX-License-Identifier: Apache-2.0

/// A tag of Jaeger's older JSON: a key, a type, and a value.
enum JaegerTag {
    static func write(_ attribute: Attribute, to writer: inout JSONWriter) {
        switch attribute.value {
        case .empty: write(attribute.key, "", to: &writer)
        case .string(let text): write(attribute.key, text, to: &writer)
        case .bool(let value): write(attribute.key, value, to: &writer)
        case .int(let digits):
            write(attribute.key, type: "int64", to: &writer) { $0.literal(digits) }
        case .double(let text):
            // JSON has no number for some.
            let type = Double(text)?.isFinite == true ? "float64" : "string"
            write(attribute.key, type: type, to: &writer) { $0.double(text) }
        case .bytes(let digits):
            write(attribute.key, type: "binary", to: &writer) { $0.text(digits) }
        case .list, .pairs:
            var inner = JSONWriter()
            inner.plain(attribute.value)
            write(attribute.key, String(decoding: inner.bytes, as: UTF8.self), to: &writer)
        }
    }

    static func write(_ attributes: [Attribute], to writer: inout JSONWriter) {
        for attribute in attributes { write(attribute, to: &writer) }
    }

    static func write(_ key: String, _ text: String, to writer: inout JSONWriter) {
        write(key, type: "string", to: &writer) { $0.text(text) }
    }

    static func write(_ key: String, _ value: Bool, to writer: inout JSONWriter) {
        write(key, type: "bool", to: &writer) { $0.truth(value) }
    }

    private static func write(
        _ key: String, type: String, to writer: inout JSONWriter,
        _ value: (inout JSONWriter) -> Void
    ) {
        writer.object { writer in
            writer.member("key", key)
            writer.member("type", type)
            writer.key("value")
            value(&writer)
        }
    }
}

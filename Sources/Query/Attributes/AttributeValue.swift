// SPDX-License-Identifier: Apache-2.0
internal import Base

/// An OTLP AnyValue out of the form in which columns hold it (docs/attributes.md).
indirect enum AttributeValue: Sendable, Equatable {
    case empty
    case string(String)
    case bool(Bool)
    /// Digits of an int64.
    case int(String)
    /// As Swift reads it: `0.25`, `1e+300`, `-0.0`, `NaN`, `Infinity`, `-Infinity`.
    case double(String)
    /// Base64 (RFC 4648, section 4).
    case bytes(String)
    case list([AttributeValue])
    case pairs([Attribute])

    init(_ form: StoredJSON) {
        switch form {
        case .null: self = .empty
        case .bool(let value): self = .bool(value)
        case .string(let text): self = .string(text)
        case .number(let text):
            let isInt = text.utf8.allSatisfy { $0 &- 0x30 <= 9 || $0 == UInt8(ascii: "-") }
            self = isInt ? .int(text) : .double(text)
        case .list(let elements): self = .list(elements.map { AttributeValue($0) })
        case .object(let members): self = AttributeValue.tagged(members)
        }
    }

    private static func tagged(_ members: [StoredJSON.Member]) -> AttributeValue {
        if members.count == 1 {
            switch (members[0].name, members[0].value) {
            case ("$double", .string(let text)): return .double(text)
            case ("$bytes", .string(let digits)): return .bytes(digits)
            case ("$kvlist", .object(let inner)): return .pairs(Attribute.list(inner))
            default: break
            }
        }
        return .pairs(Attribute.list(members))
    }
}

/// One attribute: a key and its value.
struct Attribute: Sendable, Equatable {
    let key: String
    let value: AttributeValue

    fileprivate static func list(_ members: [StoredJSON.Member]) -> [Attribute] {
        members.map { Attribute(key: $0.name, value: AttributeValue($0.value)) }
    }

    /// The attributes of a row, an event, ...: their object itself is never tagged. None where
    /// there is none.
    static func all(of object: StoredJSON?) -> [Attribute] { list(object?.members ?? []) }
}

extension JSONWriter {
    /// As a value of the JSON mapping of OTLP: the members of `AnyValue` by their names, 64 bits as
    /// strings, bytes in base64 (opentelemetry-proto, "JSON Protobuf Encoding").
    mutating func otlp(_ value: AttributeValue) {
        object { writer in
            switch value {
            case .empty: break
            case .string(let text): writer.member("stringValue", text)
            case .bool(let truth):
                writer.key("boolValue")
                writer.truth(truth)
            case .int(let digits): writer.member("intValue", digits)
            case .double(let text):
                writer.key("doubleValue")
                writer.double(text)
            case .bytes(let digits): writer.member("bytesValue", digits)
            case .list(let elements):
                writer.key("arrayValue")
                writer.object { writer in
                    writer.key("values")
                    writer.list { writer in for element in elements { writer.otlp(element) } }
                }
            case .pairs(let pairs):
                writer.key("kvlistValue")
                writer.object { writer in
                    writer.key("values")
                    writer.otlp(pairs)
                }
            }
        }
    }

    /// As a list of `KeyValue`s of the JSON mapping of OTLP.
    mutating func otlp(_ attributes: [Attribute]) {
        list { writer in
            for attribute in attributes {
                writer.object { writer in
                    writer.member("key", attribute.key)
                    writer.key("value")
                    writer.otlp(attribute.value)
                }
            }
        }
    }

    /// As JSON for people: bytes in base64, doubles that JSON has no number for as strings.
    mutating func plain(_ value: AttributeValue) {
        switch value {
        case .empty: null()
        case .string(let text), .bytes(let text): self.text(text)
        case .bool(let value): truth(value)
        case .int(let digits): literal(digits)
        case .double(let text): double(text)
        case .list(let elements):
            list { writer in for element in elements { writer.plain(element) } }
        case .pairs(let pairs):
            object { writer in
                for pair in pairs {
                    writer.key(pair.key)
                    writer.plain(pair.value)
                }
            }
        }
    }

    /// A double as it is stored: a number, and a string where JSON has none.
    mutating func double(_ text: String) {
        if Double(text)?.isFinite == true { literal(text) } else { self.text(text) }
    }
}

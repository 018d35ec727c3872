// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode
internal import Rows

// OTLP values as JSON text for jsonb, so that each reads back as exactly what it was.
//
// Strings, booleans and integers are themselves, doubles always have a fraction part, arrays and
// lists of pairs are arrays and objects, an empty value is null. What JSON has no form for is an
// object with one member whose name begins with "$": {"$bytes":base64}, {"$double":text}; a list of
// pairs that looks like one is wrapped in {"$kvlist":{…}}. Of members with the same name jsonb
// keeps the last.
//
// All of these write text only, without the length and version that a jsonb field begins with.
extension CopyBuffer {
    /// Attributes as one object, whatever their names are.
    package mutating func appendJSON(attributes: WireMessageList<KeyValueView>) -> Bool {
        appendJSON(object: attributes)
    }

    /// As above, for attributes that were picked out.
    package mutating func appendJSON(attributes: [KeyValueView]) -> Bool {
        appendJSON(object: attributes)
    }

    /// As above, without those that are not stored.
    mutating func appendJSON(
        attributes: WireMessageList<KeyValueView>, without drops: AttributeDrops
    ) -> Bool {
        appendJSON(object: attributes.lazy.filter { !drops.contains($0.key) })
    }

    /// One value. Recurses as deep as values nest, which the pre-scan bounds.
    package mutating func appendJSON(value: AnyValueView?) -> Bool {
        guard let value else { return appendJSON(literal: "null") }
        switch value.kind {
        case .string(let text): return appendJSON(string: text)
        case .int(let number): return appendJSON(number)
        case .bool(let flag):
            return flag ? appendJSON(literal: "true") : appendJSON(literal: "false")
        case .double(let number): return appendJSON(number)
        case .none: return appendJSON(literal: "null")
        case .bytes(let bytes):
            return appendJSON(literal: "{\"$bytes\":") && appendJSON(base64: bytes)
                && appendJSON(literal: "}")
        case .array(let members): return appendJSON(array: members)
        case .kvlist(let members): return appendJSON(pairs: members)
        }
    }

    /// Text of ours.
    @inline(__always)
    mutating func appendJSON(literal: StaticString) -> Bool {
        guard reserve(literal.utf8CodeUnitCount) else { return false }
        put(literal)
        return true
    }

    @inline(__always)
    private mutating func appendJSON(object members: some Collection<KeyValueView>) -> Bool {
        var separator = UInt8(ascii: "{")
        for member in members {
            guard reserve(1) else { return false }
            put(separator)
            separator = UInt8(ascii: ",")
            guard appendJSON(string: member.key), reserve(1) else { return false }
            put(UInt8(ascii: ":"))
            guard appendJSON(value: member.value) else { return false }
        }
        return members.isEmpty ? appendJSON(literal: "{}") : appendJSON(literal: "}")
    }

    private mutating func appendJSON(array members: NestedMessages<AnyValueView>) -> Bool {
        guard appendJSON(literal: "[") else { return false }
        var isFirst = true
        for member in members {
            if !isFirst { guard appendJSON(literal: ",") else { return false } }
            isFirst = false
            guard appendJSON(value: member) else { return false }
        }
        return appendJSON(literal: "]")
    }

    private mutating func appendJSON(pairs members: NestedMessages<KeyValueView>) -> Bool {
        guard CopyBuffer.looksReserved(members) else { return appendJSON(object: members) }
        return appendJSON(literal: "{\"$kvlist\":") && appendJSON(object: members)
            && appendJSON(literal: "}")
    }

    /// Whether the object would have exactly one member, and its name begins with "$". Members with
    /// the same name are one.
    private static func looksReserved(_ members: NestedMessages<KeyValueView>) -> Bool {
        guard let first = members.first?.key, !first.isEmpty, first[0] == UInt8(ascii: "$") else {
            return false
        }
        return members.dropFirst().allSatisfy { $0.key.elementsEqual(first) }
    }
}

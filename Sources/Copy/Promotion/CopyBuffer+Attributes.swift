// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

// The attributes of a row: `attributes` first, with what has no column, then the columns.
extension CopyBuffer {
    /// The jsonb field `attributes`, NULL where nothing is left for it. `sorter` keeps the rest
    /// until `appendColumns`.
    mutating func appendJSONField(
        attributes: WireMessageList<KeyValueView>, sortedBy sorter: inout AttributeSorter
    ) -> Bool {
        sorter.beginRow()
        guard !sorter.isTrivial else { return appendJSONField(attributes: attributes) }
        var object = JSONObject()
        for position in 0..<attributes.count {
            let attribute = attributes[position]
            let key = attribute.key
            if sorter.take(attribute, key: key) { continue }
            guard object.append(key, attribute.value, to: &self) else { return false }
        }
        for index in 0..<sorter.takenCount {
            guard let rest = sorter.settle(index) else { continue }
            guard object.append(rest.key, rest.value, to: &self) else { return false }
        }
        return object.end(in: &self)
    }

    /// The columns of the attributes that were sorted out.
    mutating func appendColumns(_ sorter: borrowing AttributeSorter) -> Bool {
        for index in 0..<sorter.listedCount {
            guard reserve(CopyBuffer.fieldSizeBytesMax) else { return false }
            switch sorter.value(at: index) {
            case .none: putNull()
            case .string(let bytes), .bytes(let bytes):
                guard appendField(bytes) else { return false }
            case .int(let number): putField(number)
            case .double(let number): putField(number)
            case .bool(let flag): putField(flag)
            case .array, .kvlist: preconditionFailure("these have no column")
            }
        }
        return true
    }
}

/// A jsonb field with one object, begun with its first member.
private struct JSONObject {
    /// Where the length of the field goes; nil without members.
    private var fieldOffset: Int?

    @inline(__always)
    mutating func append(
        _ key: ByteSlice, _ value: AnyValueView?, to buffer: inout CopyBuffer
    ) -> Bool {
        var separator = UInt8(ascii: ",")
        if fieldOffset == nil {
            fieldOffset = buffer.beginJSONField()
            guard fieldOffset != nil else { return false }
            separator = UInt8(ascii: "{")
        }
        guard buffer.reserve(1) else { return false }
        buffer.put(separator)
        guard buffer.appendJSON(string: key), buffer.reserve(1) else { return false }
        buffer.put(UInt8(ascii: ":"))
        return buffer.appendJSON(value: value)
    }

    /// Ends the object, or writes NULL where there is none.
    func end(in buffer: inout CopyBuffer) -> Bool {
        guard let fieldOffset else { return buffer.appendNull() }
        return buffer.appendJSON(literal: "}") && buffer.endJSONField(at: fieldOffset)
    }
}

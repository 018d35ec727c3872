// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode
internal import Rows

// Lists of messages that are stored as jsonb arrays of objects. Members with the default value of
// their field (0, empty) are left out.

/// Writes the members of one object, with commas where they belong.
private struct JSONMembers {
    private var isEmpty = true

    /// The name of the next member and what must stand before it; `literal` is `"name":`.
    mutating func appendName(_ literal: StaticString, to buffer: inout CopyBuffer) -> Bool {
        guard buffer.reserve(1 + literal.utf8CodeUnitCount) else { return false }
        buffer.put(isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
        isEmpty = false
        buffer.put(literal)
        return true
    }

    mutating func append(
        _ literal: StaticString, _ value: UInt64, to buffer: inout CopyBuffer
    ) -> Bool {
        value == 0 || appendName(literal, to: &buffer) && buffer.appendJSON(value)
    }

    mutating func append(
        _ literal: StaticString, text: ByteSlice, to buffer: inout CopyBuffer
    ) -> Bool {
        text.isEmpty || appendName(literal, to: &buffer) && buffer.appendJSON(string: text)
    }

    mutating func append(
        _ literal: StaticString, hex: ByteSlice, to buffer: inout CopyBuffer
    ) -> Bool {
        hex.isEmpty || appendName(literal, to: &buffer) && buffer.appendJSON(hex: hex)
    }

    mutating func append(
        _ literal: StaticString, attributes: WireMessageList<KeyValueView>,
        without drops: AttributeDrops?,
        to buffer: inout CopyBuffer
    ) -> Bool {
        guard let drops, !attributes.isEmpty else {
            return attributes.isEmpty
                || appendName(literal, to: &buffer) && buffer.appendJSON(attributes: attributes)
        }
        let keptCount = drops.keptCount(of: attributes)
        buffer.droppedAttributeCount += attributes.count - keptCount
        guard keptCount > 0 else { return true }
        return appendName(literal, to: &buffer)
            && buffer.appendJSON(attributes: attributes, without: drops)
    }

    func end(in buffer: inout CopyBuffer) -> Bool {
        buffer.appendJSON(literal: isEmpty ? "{}" : "}")
    }
}

extension CopyBuffer {
    /// A jsonb field: an array with one element per message, NULL where there are none.
    private mutating func appendJSONField<Element: MessageView>(
        _ list: MessageList<Element>, element: (Element, inout CopyBuffer) -> Bool
    ) -> Bool {
        guard !list.isEmpty else { return appendNull() }
        guard let offset = beginJSONField(), appendJSON(list, element: element) else {
            return false
        }
        return endJSONField(at: offset)
    }

    /// The array alone.
    private mutating func appendJSON<Element>(
        _ list: some Collection<Element>, element: (Element, inout CopyBuffer) -> Bool
    ) -> Bool {
        var separator = UInt8(ascii: "[")
        for member in list {
            guard reserve(1) else { return false }
            put(separator)
            separator = UInt8(ascii: ",")
            guard element(member, &self) else { return false }
        }
        return list.isEmpty ? appendJSON(literal: "[]") : appendJSON(literal: "]")
    }

    /// `drops` are left out of the attributes of each.
    mutating func appendJSONField(
        events: MessageList<EventView>, without drops: AttributeDrops?
    ) -> Bool {
        appendJSONField(events) { event, buffer in
            var members = JSONMembers()
            return members.append("\"time_unix_nano\":", event.timeUnixNano, to: &buffer)
                && members.append("\"name\":", text: event.name, to: &buffer)
                && members.append(
                    "\"attributes\":", attributes: event.attributes, without: drops, to: &buffer)
                && members.append(
                    "\"dropped_attributes_count\":", UInt64(event.droppedAttributesCount),
                    to: &buffer)
                && members.end(in: &buffer)
        }
    }

    /// `drops` are left out of the attributes of each.
    mutating func appendJSONField(
        links: MessageList<LinkView>, without drops: AttributeDrops?
    ) -> Bool {
        appendJSONField(links) { link, buffer in
            var members = JSONMembers()
            return members.append("\"trace_id\":", hex: link.traceID, to: &buffer)
                && members.append("\"span_id\":", hex: link.spanID, to: &buffer)
                && members.append("\"trace_state\":", text: link.traceState, to: &buffer)
                && members.append(
                    "\"attributes\":", attributes: link.attributes, without: drops, to: &buffer)
                && members.append(
                    "\"dropped_attributes_count\":", UInt64(link.droppedAttributesCount),
                    to: &buffer)
                && members.append("\"flags\":", UInt64(link.flags), to: &buffer)
                && members.end(in: &buffer)
        }
    }

    /// `drops` are left out of the attributes of each.
    mutating func appendJSONField(
        exemplars: MessageList<ExemplarView>, without drops: AttributeDrops?
    ) -> Bool {
        appendJSONField(exemplars) { exemplar, buffer in
            var members = JSONMembers()
            guard members.append("\"time_unix_nano\":", exemplar.timeUnixNano, to: &buffer) else {
                return false
            }
            // A value of 0 is a value: which member of the oneof is set says more than the default.
            switch exemplar.value {
            case .none:
                break
            case .int(let value):
                guard members.appendName("\"value_int\":", to: &buffer), buffer.appendJSON(value)
                else {
                    return false
                }
            case .double(let value):
                guard members.appendName("\"value_double\":", to: &buffer), buffer.appendJSON(value)
                else {
                    return false
                }
            }
            return members.append("\"trace_id\":", hex: exemplar.traceID, to: &buffer)
                && members.append("\"span_id\":", hex: exemplar.spanID, to: &buffer)
                && members.append(
                    "\"attributes\":", attributes: exemplar.filteredAttributes, without: drops,
                    to: &buffer)
                && members.end(in: &buffer)
        }
    }

    /// `otel_resources_dim.entity_refs`: the array as text, without length and version of a field.
    package mutating func appendJSON(entityRefs: MessageList<EntityRefView>) -> Bool {
        appendJSON(entityRefs) { entity, buffer in
            var members = JSONMembers()
            return members.append("\"schema_url\":", text: entity.schemaURL, to: &buffer)
                && members.append("\"type\":", text: entity.type, to: &buffer)
                && buffer.appendNames("\"id_keys\":", entity.idKeys, as: &members)
                && buffer.appendNames("\"description_keys\":", entity.descriptionKeys, as: &members)
                && members.end(in: &buffer)
        }
    }

    private mutating func appendNames(
        _ literal: StaticString, _ names: ByteSliceList, as members: inout JSONMembers
    ) -> Bool {
        guard !names.isEmpty else { return true }
        return members.appendName(literal, to: &self)
            && appendJSON(names) { name, buffer in buffer.appendJSON(string: name) }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base

/// What an `AnyValue` holds.
package enum AnyValueKind {
    /// Nothing was set, or `string_value_strindex`, which only profiles may use.
    case none
    /// UTF-8 without NUL, unless the item has a fault.
    case string(ByteSlice)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case array(NestedMessages<AnyValueView>)
    case kvlist(NestedMessages<KeyValueView>)
    case bytes(ByteSlice)
}

/// `AnyValue`: an attribute value or a log body. At most `DecodeLimits.anyValueDepthMax` nest.
@safe
package struct AnyValueView: WireMessage {
    private let bytes: ByteSlice

    package init(base: UnsafeRawPointer?, count: Int) {
        unsafe bytes = ByteSlice(base: base, count: count)
    }

    /// The last member of the `value` oneof on the wire.
    package var kind: AnyValueKind {
        let count = bytes.count
        guard count >= 2 else { return .none }
        switch bytes[0] {
        case PairTag.stringValue where Int(bytes[1]) == count - 2 && count < 0x82:
            return .string(bytes.slice(offset: 2, count: count - 2))
        case PairTag.intValue where count <= 4:
            return shortInt ?? unusualKind
        case PairTag.boolValue where count == 2 && bytes[1] < 0x80:
            return .bool(bytes[1] != 0)
        case PairTag.doubleValue where count == 9:
            return .double(AnyValueView.double(bytes.slice(offset: 1, count: 8)))
        default:
            return unusualKind
        }
    }

    /// A varint of up to three bytes that is all there is.
    private var shortInt: AnyValueKind? {
        @inline(__always) get {
            var number = Int64(bytes[1] & 0x7f)
            var offset = 1
            while bytes[offset] >= 0x80 {
                offset += 1
                guard offset < bytes.count else { return nil }
                number |= Int64(bytes[offset] & 0x7f) << Int64(7 * (offset - 1))
            }
            return offset == bytes.count - 1 ? .int(number) : nil
        }
    }

    private var unusualKind: AnyValueKind {
        var reader = WireReader(bytes)
        var kind = AnyValueKind.none
        while let field = reader.next() { kind = AnyValueView.kind(of: field) ?? kind }
        return kind
    }

    /// By the field numbers of `AnyValue`; nil for one that it does not have.
    private static func kind(of field: WireReader.Field) -> AnyValueKind? {
        switch field.number {
        case 1: .string(field.bytes)
        case 2: .bool(field.isTrue)
        case 3: .int(Int64(bitPattern: field.varint))
        case 4: .double(double(field.bytes))
        case 5: .array(NestedMessages(field.bytes))
        case 6: .kvlist(NestedMessages(field.bytes))
        case 7: .bytes(field.bytes)
        // A member of the oneof that means nothing here.
        case 8: AnyValueKind.none
        default: nil
        }
    }

    private static func double(_ bytes: ByteSlice) -> Double {
        guard bytes.count == 8 else { return 0 }
        let bits = unsafe bytes.buffer.loadUnaligned(as: UInt64.self)
        return Double(bitPattern: UInt64(littleEndian: bits))
    }
}

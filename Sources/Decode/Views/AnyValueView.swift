// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// What an `AnyValue` holds.
package enum AnyValueKind {
    /// Nothing was set, or `string_value_strindex`, which only profiles may use.
    case none
    /// UTF-8 without NUL, unless the item has a fault.
    case string(ByteSlice)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case array(MessageList<AnyValueView>)
    case kvlist(MessageList<KeyValueView>)
    case bytes(ByteSlice)
}

/// `AnyValue`: an attribute value or a log body. At most `DecodeLimits.anyValueDepthMax` nest.
@safe
package struct AnyValueView: MessageView {
    let message: UnsafePointer<Otlp__AnyValue>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__AnyValue.self)
    }

    /// The last member of the `value` oneof on the wire.
    package var kind: AnyValueKind {
        switch unsafe message.pointee.value_case {
        case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
            return unsafe .string(byteSlice(message.pointee.string_value))
        case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
            return unsafe .bool(message.pointee.bool_value != 0)
        case OTLP__ANY_VALUE__VALUE_INT_VALUE:
            return unsafe .int(message.pointee.int_value)
        case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
            return unsafe .double(message.pointee.double_value)
        case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
            let list = unsafe message.pointee.array_value.pointee
            return unsafe .array(MessageList(list.values, count: list.n_values))
        case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
            let list = unsafe message.pointee.kvlist_value.pointee
            return unsafe .kvlist(MessageList(list.values, count: list.n_values))
        case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
            return unsafe .bytes(byteSlice(message.pointee.bytes_value))
        default:
            return .none
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// The value of a number point or an exemplar.
package enum NumberValue: Equatable, Sendable {
    /// None was sent, as in a point with the flag `NO_RECORDED_VALUE`.
    case none
    case int(Int64)
    case double(Double)
}

/// `NumberDataPoint`: one value of a gauge or a sum.
@safe
package struct NumberDataPointView: MessageView {
    let message: UnsafePointer<Otlp__NumberDataPoint>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__NumberDataPoint.self)
    }

    /// 0 when unknown.
    package var startTimeUnixNano: UInt64 { unsafe message.pointee.start_time_unix_nano }

    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    /// The last member of the `value` oneof on the wire.
    package var value: NumberValue {
        switch unsafe message.pointee.value_case {
        case OTLP__NUMBER_DATA_POINT__VALUE_AS_INT: .int(unsafe message.pointee.as_int)
        case OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE: .double(unsafe message.pointee.as_double)
        default: .none
        }
    }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var exemplars: MessageList<ExemplarView> {
        unsafe MessageList(message.pointee.exemplars, count: message.pointee.n_exemplars)
    }

    /// `DataPointFlags`: bit 0 means that no value was recorded.
    package var flags: UInt32 { unsafe message.pointee.flags }
}

/// `Exemplar`: one of the measurements that went into a point.
@safe
package struct ExemplarView: MessageView {
    let message: UnsafePointer<Otlp__Exemplar>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Exemplar.self)
    }

    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    /// The last member of the `value` oneof on the wire.
    package var value: NumberValue {
        switch unsafe message.pointee.value_case {
        case OTLP__EXEMPLAR__VALUE_AS_INT: .int(unsafe message.pointee.as_int)
        case OTLP__EXEMPLAR__VALUE_AS_DOUBLE: .double(unsafe message.pointee.as_double)
        default: .none
        }
    }

    package var traceID: ByteSlice { unsafe byteSlice(message.pointee.trace_id) }

    package var spanID: ByteSlice { unsafe byteSlice(message.pointee.span_id) }

    /// Attributes of the measurement that are not attributes of the point.
    package var filteredAttributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(
            message.pointee.filtered_attributes, count: message.pointee.n_filtered_attributes)
    }
}

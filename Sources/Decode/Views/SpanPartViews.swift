// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `Span.Event`: something that happened during a span.
@safe
package struct EventView: MessageView {
    let message: UnsafePointer<Otlp__Span__Event>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Span__Event.self)
    }

    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    package var name: ByteSlice { unsafe byteSlice(message.pointee.name) }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }
}

/// `Span.Link`: a pointer from a span to a span of this or another trace.
@safe
package struct LinkView: MessageView {
    let message: UnsafePointer<Otlp__Span__Link>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Span__Link.self)
    }

    package var traceID: ByteSlice { unsafe byteSlice(message.pointee.trace_id) }

    package var spanID: ByteSlice { unsafe byteSlice(message.pointee.span_id) }

    package var traceState: ByteSlice { unsafe byteSlice(message.pointee.trace_state) }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }

    package var flags: UInt32 { unsafe message.pointee.flags }
}

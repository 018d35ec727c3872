// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `Span`: one operation within a trace.
@safe
package struct SpanView: MessageView {
    let message: UnsafePointer<Otlp__Span>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Span.self)
    }

    /// 16 bytes in a valid span; whatever was sent in an invalid one.
    package var traceID: ByteSlice { unsafe byteSlice(message.pointee.trace_id) }

    /// 8 bytes in a valid span; whatever was sent in an invalid one.
    package var spanID: ByteSlice { unsafe byteSlice(message.pointee.span_id) }

    /// Empty for a root span.
    package var parentSpanID: ByteSlice { unsafe byteSlice(message.pointee.parent_span_id) }

    package var traceState: ByteSlice { unsafe byteSlice(message.pointee.trace_state) }

    package var name: ByteSlice { unsafe byteSlice(message.pointee.name) }

    /// `SpanKind`; numbers that OTLP does not define are kept.
    package var kind: Int32 {
        unsafe Int32(bitPattern: UInt32(message.pointee.kind.rawValue))
    }

    package var startTimeUnixNano: UInt64 { unsafe message.pointee.start_time_unix_nano }

    package var endTimeUnixNano: UInt64 { unsafe message.pointee.end_time_unix_nano }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }

    package var events: MessageList<EventView> {
        unsafe MessageList(message.pointee.events, count: message.pointee.n_events)
    }

    package var droppedEventsCount: UInt32 { unsafe message.pointee.dropped_events_count }

    package var links: MessageList<LinkView> {
        unsafe MessageList(message.pointee.links, count: message.pointee.n_links)
    }

    package var droppedLinksCount: UInt32 { unsafe message.pointee.dropped_links_count }

    /// Nil when the message is absent, which a query can tell from UNSET.
    package var status: StatusView? {
        unsafe message.pointee.status.map { unsafe StatusView($0) }
    }

    /// W3C trace flags in bits 0–7, `SpanFlags` above.
    package var flags: UInt32 { unsafe message.pointee.flags }
}

/// `Status`: how the operation ended.
@safe
package struct StatusView: MessageView {
    let raw: UnsafePointer<Otlp__Status>

    package init(_ message: UnsafeRawPointer) {
        unsafe raw = message.assumingMemoryBound(to: Otlp__Status.self)
    }

    package var message: ByteSlice { unsafe byteSlice(raw.pointee.message) }

    /// `StatusCode`; numbers that OTLP does not define are kept.
    package var code: Int32 {
        unsafe Int32(bitPattern: UInt32(raw.pointee.code.rawValue))
    }
}

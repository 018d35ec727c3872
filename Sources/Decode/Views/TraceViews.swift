// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `ResourceSpans`: the spans of one resource.
@safe
package struct ResourceSpansView: MessageView {
    let message: UnsafePointer<Otlp__ResourceSpans>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ResourceSpans.self)
    }

    package var resource: ResourceView? {
        unsafe message.pointee.resource.map { unsafe ResourceView($0) }
    }

    package var scopeSpans: MessageList<ScopeSpansView> {
        unsafe MessageList(message.pointee.scope_spans, count: message.pointee.n_scope_spans)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

/// `ScopeSpans`: the spans of one scope of one resource.
@safe
package struct ScopeSpansView: MessageView {
    let message: UnsafePointer<Otlp__ScopeSpans>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ScopeSpans.self)
    }

    package var scope: ScopeView? {
        unsafe message.pointee.scope.map { unsafe ScopeView($0) }
    }

    package var spans: MessageList<SpanView> {
        unsafe MessageList(message.pointee.spans, count: message.pointee.n_spans)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

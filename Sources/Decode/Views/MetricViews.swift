// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `ResourceMetrics`: the metrics of one resource.
@safe
package struct ResourceMetricsView: MessageView {
    let message: UnsafePointer<Otlp__ResourceMetrics>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ResourceMetrics.self)
    }

    package var resource: ResourceView? {
        unsafe message.pointee.resource.map { unsafe ResourceView($0) }
    }

    package var scopeMetrics: MessageList<ScopeMetricsView> {
        unsafe MessageList(message.pointee.scope_metrics, count: message.pointee.n_scope_metrics)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

/// `ScopeMetrics`: the metrics of one scope of one resource.
@safe
package struct ScopeMetricsView: MessageView {
    let message: UnsafePointer<Otlp__ScopeMetrics>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ScopeMetrics.self)
    }

    package var scope: ScopeView? {
        unsafe message.pointee.scope.map { unsafe ScopeView($0) }
    }

    package var metrics: MessageList<MetricView> {
        unsafe MessageList(message.pointee.metrics, count: message.pointee.n_metrics)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

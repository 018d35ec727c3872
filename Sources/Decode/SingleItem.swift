// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// Makes Export requests of single items out of decoded exports: the item with its resource, its
/// scope and both schema URLs; a data point with its metric.
///
/// No message is copied but the structs on the way from the request to the item, which then point
/// to one member instead of all. Unknown fields of those are left out: repeated for each item they
/// could grow beyond any bound.
///
/// `begin`, then `select` with rising ordinals: an export is walked over once, however many of its
/// items are selected. Ownership: what is selected borrows from the export, which must live.
/// Thread: one.
@safe
package struct SingleItemPacker: ~Copyable {
    private let traces = TracesEnvelope()
    private let logs = LogsEnvelope()
    private let metrics = MetricsEnvelope()
    private var cursor = ItemCursor()
    private var selected: UnsafePointer<ProtobufCMessage>?

    package init() {}

    /// Starts at the first item of another export.
    package mutating func begin() {
        cursor = ItemCursor()
        unsafe selected = nil
    }

    /// Prepares the request of the item at `ordinal`, which must not be below the last one.
    ///
    /// Returns what the item belongs to.
    package mutating func select(
        _ ordinal: Int, of export: borrowing Export
    ) -> (resource: ResourceView?, resourceOrdinal: Int) {
        precondition(ordinal >= 0 && ordinal < export.itemCount)
        switch export.signal {
        case .traces:
            let index = cursor.advance(to: ordinal, in: export.resourceSpans)
            let group = export.resourceSpans[cursor.resource]
            unsafe selected = traces.request(group, group.scopeSpans[cursor.scope], index)
            return (group.resource, cursor.resource)
        case .logs:
            let index = cursor.advance(to: ordinal, in: export.resourceLogs)
            let group = export.resourceLogs[cursor.resource]
            unsafe selected = logs.request(group, group.scopeLogs[cursor.scope], index)
            return (group.resource, cursor.resource)
        case .metrics:
            let index = cursor.advance(to: ordinal, in: export.resourceMetrics)
            let group = export.resourceMetrics[cursor.resource]
            let scope = group.scopeMetrics[cursor.scope]
            unsafe selected = metrics.request(group, scope, scope.metrics[cursor.metric], index)
            return (group.resource, cursor.resource)
        }
    }

    /// Bytes of the request of the selected item.
    package var sizeBytes: Int {
        guard let selected = unsafe selected else { preconditionFailure("nothing is selected") }
        return unsafe Int(protobuf_c_message_get_packed_size(selected))
    }

    /// Writes that request: `sizeBytes` bytes, for which there must be room.
    package func pack(into memory: UnsafeMutableRawPointer) {
        guard let selected = unsafe selected else { preconditionFailure("nothing is selected") }
        _ = unsafe protobuf_c_message_pack(
            selected, memory.assumingMemoryBound(to: UInt8.self))
    }
}

/// Where a walk over the items of an export stands.
private struct ItemCursor {
    var resource = 0
    var scope = 0
    var metric = 0
    /// Ordinal of the first item of that scope, or of that metric.
    private var firstOrdinal = 0

    /// Goes on to the group that has the item; returns its index there.
    mutating func advance(to ordinal: Int, in groups: MessageList<ResourceSpansView>) -> Int {
        while true {
            let scopes = groups[resource].scopeSpans
            let count = scope < scopes.count ? scopes[scope].spans.count : 0
            if let index = index(of: ordinal, itemCount: count) { return index }
            nextScope(scopeCount: scopes.count)
        }
    }

    mutating func advance(to ordinal: Int, in groups: MessageList<ResourceLogsView>) -> Int {
        while true {
            let scopes = groups[resource].scopeLogs
            let count = scope < scopes.count ? scopes[scope].logRecords.count : 0
            if let index = index(of: ordinal, itemCount: count) { return index }
            nextScope(scopeCount: scopes.count)
        }
    }

    mutating func advance(to ordinal: Int, in groups: MessageList<ResourceMetricsView>) -> Int {
        while true {
            let scopes = groups[resource].scopeMetrics
            let metrics = scope < scopes.count ? scopes[scope].metrics : nil
            if let metrics, metric < metrics.count {
                if let index = index(of: ordinal, itemCount: metrics[metric].pointCount) {
                    return index
                }
                metric += 1
            } else {
                nextScope(scopeCount: scopes.count)
            }
        }
    }

    /// The index in the group at hand, or nil after going past the group.
    private mutating func index(of ordinal: Int, itemCount: Int) -> Int? {
        precondition(ordinal >= firstOrdinal, "ordinals must rise")
        if ordinal - firstOrdinal < itemCount { return ordinal - firstOrdinal }
        firstOrdinal += itemCount
        return nil
    }

    private mutating func nextScope(scopeCount: Int) {
        metric = 0
        scope += 1
        if scope >= scopeCount {
            scope = 0
            resource += 1
        }
    }
}

/// Memory for one message that stands alone in a repeated field.
@safe
private struct Slot<Message> {
    let message: UnsafeMutablePointer<Message>
    let list: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>

    init() {
        unsafe message = .allocate(capacity: 1)
        unsafe list = .allocate(capacity: 1)
        unsafe list.initialize(to: message)
    }

    func deallocate() {
        unsafe message.deallocate()
        unsafe list.deallocate()
    }
}

extension ProtobufCMessage {
    fileprivate mutating func dropUnknownFields() {
        unsafe n_unknown_fields = 0
        unsafe unknown_fields = nil
    }
}

/// The structs of a traces request. They are freed with the object.
@safe
private final class TracesEnvelope {
    private let root: UnsafeMutablePointer<Otlp__ExportTraceServiceRequest>
    private let group = unsafe Slot<Otlp__ResourceSpans>()
    private let scope = unsafe Slot<Otlp__ScopeSpans>()

    init() {
        unsafe root = .allocate(capacity: 1)
        unsafe otlp__export_trace_service_request__init(root)
        unsafe root.pointee.n_resource_spans = 1
        unsafe root.pointee.resource_spans = group.list
    }

    deinit {
        unsafe root.deallocate()
        unsafe group.deallocate()
        unsafe scope.deallocate()
    }

    func request(
        _ groupView: ResourceSpansView, _ scopeView: ScopeSpansView, _ index: Int
    ) -> UnsafePointer<ProtobufCMessage> {
        unsafe group.message.initialize(to: groupView.message.pointee)
        unsafe group.message.pointee.base.dropUnknownFields()
        unsafe group.message.pointee.n_scope_spans = 1
        unsafe group.message.pointee.scope_spans = scope.list
        unsafe scope.message.initialize(to: scopeView.message.pointee)
        unsafe scope.message.pointee.base.dropUnknownFields()
        unsafe scope.message.pointee.n_spans = 1
        unsafe scope.message.pointee.spans = scopeView.message.pointee.spans + index
        return unsafe UnsafeRawPointer(root).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}

/// The structs of a logs request.
@safe
private final class LogsEnvelope {
    private let root: UnsafeMutablePointer<Otlp__ExportLogsServiceRequest>
    private let group = unsafe Slot<Otlp__ResourceLogs>()
    private let scope = unsafe Slot<Otlp__ScopeLogs>()

    init() {
        unsafe root = .allocate(capacity: 1)
        unsafe otlp__export_logs_service_request__init(root)
        unsafe root.pointee.n_resource_logs = 1
        unsafe root.pointee.resource_logs = group.list
    }

    deinit {
        unsafe root.deallocate()
        unsafe group.deallocate()
        unsafe scope.deallocate()
    }

    func request(
        _ groupView: ResourceLogsView, _ scopeView: ScopeLogsView, _ index: Int
    ) -> UnsafePointer<ProtobufCMessage> {
        unsafe group.message.initialize(to: groupView.message.pointee)
        unsafe group.message.pointee.base.dropUnknownFields()
        unsafe group.message.pointee.n_scope_logs = 1
        unsafe group.message.pointee.scope_logs = scope.list
        unsafe scope.message.initialize(to: scopeView.message.pointee)
        unsafe scope.message.pointee.base.dropUnknownFields()
        unsafe scope.message.pointee.n_log_records = 1
        unsafe scope.message.pointee.log_records = scopeView.message.pointee.log_records + index
        return unsafe UnsafeRawPointer(root).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}

/// The structs of a metrics request.
@safe
private final class MetricsEnvelope {
    private let root: UnsafeMutablePointer<Otlp__ExportMetricsServiceRequest>
    private let group = unsafe Slot<Otlp__ResourceMetrics>()
    private let scope = unsafe Slot<Otlp__ScopeMetrics>()
    private let metric = unsafe Slot<Otlp__Metric>()
    private let gauge = unsafe Slot<Otlp__Gauge>()
    private let sum = unsafe Slot<Otlp__Sum>()
    private let histogram = unsafe Slot<Otlp__Histogram>()
    private let exponential = unsafe Slot<Otlp__ExponentialHistogram>()
    private let summary = unsafe Slot<Otlp__Summary>()

    init() {
        unsafe root = .allocate(capacity: 1)
        unsafe otlp__export_metrics_service_request__init(root)
        unsafe root.pointee.n_resource_metrics = 1
        unsafe root.pointee.resource_metrics = group.list
    }

    deinit {
        unsafe root.deallocate()
        unsafe group.deallocate()
        unsafe scope.deallocate()
        unsafe metric.deallocate()
        unsafe gauge.deallocate()
        unsafe sum.deallocate()
        unsafe histogram.deallocate()
        unsafe exponential.deallocate()
        unsafe summary.deallocate()
    }

    func request(
        _ groupView: ResourceMetricsView, _ scopeView: ScopeMetricsView, _ metricView: MetricView,
        _ index: Int
    ) -> UnsafePointer<ProtobufCMessage> {
        unsafe group.message.initialize(to: groupView.message.pointee)
        unsafe group.message.pointee.base.dropUnknownFields()
        unsafe group.message.pointee.n_scope_metrics = 1
        unsafe group.message.pointee.scope_metrics = scope.list
        unsafe scope.message.initialize(to: scopeView.message.pointee)
        unsafe scope.message.pointee.base.dropUnknownFields()
        unsafe scope.message.pointee.n_metrics = 1
        unsafe scope.message.pointee.metrics = metric.list
        unsafe metric.message.initialize(to: metricView.message.pointee)
        unsafe metric.message.pointee.base.dropUnknownFields()
        pointToOne(index)
        return unsafe UnsafeRawPointer(root).assumingMemoryBound(to: ProtobufCMessage.self)
    }

    /// Replaces the data of the metric by a copy that has the point at `index` only.
    private func pointToOne(_ index: Int) {
        switch unsafe metric.message.pointee.data_case {
        case OTLP__METRIC__DATA_GAUGE:
            unsafe gauge.message.initialize(to: metric.message.pointee.gauge.pointee)
            unsafe gauge.message.pointee.base.dropUnknownFields()
            unsafe gauge.message.pointee.n_data_points = 1
            unsafe gauge.message.pointee.data_points += index
            unsafe metric.message.pointee.gauge = gauge.message
        case OTLP__METRIC__DATA_SUM:
            unsafe sum.message.initialize(to: metric.message.pointee.sum.pointee)
            unsafe sum.message.pointee.base.dropUnknownFields()
            unsafe sum.message.pointee.n_data_points = 1
            unsafe sum.message.pointee.data_points += index
            unsafe metric.message.pointee.sum = sum.message
        case OTLP__METRIC__DATA_HISTOGRAM:
            unsafe histogram.message.initialize(to: metric.message.pointee.histogram.pointee)
            unsafe histogram.message.pointee.base.dropUnknownFields()
            unsafe histogram.message.pointee.n_data_points = 1
            unsafe histogram.message.pointee.data_points += index
            unsafe metric.message.pointee.histogram = histogram.message
        case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
            unsafe exponential.message.initialize(
                to: metric.message.pointee.exponential_histogram.pointee)
            unsafe exponential.message.pointee.base.dropUnknownFields()
            unsafe exponential.message.pointee.n_data_points = 1
            unsafe exponential.message.pointee.data_points += index
            unsafe metric.message.pointee.exponential_histogram = exponential.message
        case OTLP__METRIC__DATA_SUMMARY:
            unsafe summary.message.initialize(to: metric.message.pointee.summary.pointee)
            unsafe summary.message.pointee.base.dropUnknownFields()
            unsafe summary.message.pointee.n_data_points = 1
            unsafe summary.message.pointee.data_points += index
            unsafe metric.message.pointee.summary = summary.message
        default:
            preconditionFailure("a metric without data has no points")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode

/// Reads everything that the views of an export show, so that a sanitizer sees every byte that they
/// reach.
package struct Walk {
    /// Spans, log records or data points.
    package private(set) var itemCount = 0
    /// A sum of everything, so that no read can be left out.
    package private(set) var checksum: UInt64 = 0

    package init(_ export: borrowing Export) {
        for group in export.resourceSpans {
            visit(group.resource, group.schemaURL)
            for scope in group.scopeSpans {
                visit(scope.scope, scope.schemaURL)
                for span in scope.spans { visit(span) }
            }
        }
        for group in export.resourceLogs {
            visit(group.resource, group.schemaURL)
            for scope in group.scopeLogs {
                visit(scope.scope, scope.schemaURL)
                for record in scope.logRecords { visit(record) }
            }
        }
        for group in export.resourceMetrics {
            visit(group.resource, group.schemaURL)
            for scope in group.scopeMetrics {
                visit(scope.scope, scope.schemaURL)
                for metric in scope.metrics { visit(metric) }
            }
        }
    }

    private mutating func visit(_ slices: ByteSlice...) {
        for slice in slices {
            for offset in 0..<slice.count { checksum = checksum &* 31 &+ UInt64(slice[offset]) }
        }
    }

    private mutating func visit(_ numbers: UInt64...) {
        for number in numbers { checksum = checksum &* 31 &+ number }
    }

    private mutating func visit(_ attributes: some Collection<KeyValueView>) {
        for attribute in attributes {
            visit(attribute.key)
            if let value = attribute.value { visit(value) }
        }
    }

    private mutating func visit(_ value: AnyValueView) {
        switch value.kind {
        case .none: break
        case .string(let slice), .bytes(let slice): visit(slice)
        case .bool(let flag): visit(flag ? 1 : 0)
        case .int(let number): visit(UInt64(bitPattern: number))
        case .double(let number): visit(number.bitPattern)
        case .array(let list): for element in list { visit(element) }
        case .kvlist(let list): visit(list)
        }
    }

    private mutating func visit(_ resource: ResourceView?, _ schemaURL: ByteSlice) {
        visit(schemaURL)
        guard let resource else { return }
        visit(resource.attributes)
        for entity in resource.entityRefs {
            visit(entity.schemaURL, entity.type)
            for key in entity.idKeys { visit(key) }
            for key in entity.descriptionKeys { visit(key) }
        }
    }

    private mutating func visit(_ scope: ScopeView?, _ schemaURL: ByteSlice) {
        visit(schemaURL)
        guard let scope else { return }
        visit(scope.name, scope.version)
        visit(scope.attributes)
    }

    private mutating func visit(_ span: SpanView) {
        itemCount += 1
        visit(span.traceID, span.spanID, span.parentSpanID, span.traceState, span.name)
        visit(span.startTimeUnixNano, span.endTimeUnixNano, UInt64(span.flags))
        visit(span.attributes)
        for event in span.events {
            visit(event.name)
            visit(event.attributes)
        }
        for link in span.links {
            visit(link.traceID, link.spanID, link.traceState)
            visit(link.attributes)
        }
        if let status = span.status { visit(status.message) }
    }

    private mutating func visit(_ record: LogRecordView) {
        itemCount += 1
        visit(record.severityText, record.traceID, record.spanID, record.eventName)
        visit(record.timeUnixNano, record.observedTimeUnixNano)
        visit(record.attributes)
        if let body = record.body { visit(body) }
    }

    private mutating func visit(_ metric: MetricView) {
        visit(metric.name, metric.description, metric.unit)
        visit(metric.metadata)
        switch metric.data {
        case .none: break
        case .gauge(let points), .sum(let points, _, _): for point in points { visit(point) }
        case .histogram(let points, _): for point in points { visit(point) }
        case .exponentialHistogram(let points, _): for point in points { visit(point) }
        case .summary(let points):
            for point in points {
                itemCount += 1
                visit(point.attributes)
                for value in point.quantileValues {
                    visit(value.quantile.bitPattern, value.value.bitPattern)
                }
            }
        }
    }

    private mutating func visit(_ exemplars: MessageList<ExemplarView>) {
        for exemplar in exemplars {
            visit(exemplar.traceID, exemplar.spanID)
            visit(exemplar.filteredAttributes)
        }
    }

    private mutating func visit(_ point: NumberDataPointView) {
        itemCount += 1
        if case .int(let number) = point.value { visit(UInt64(bitPattern: number)) }
        visit(point.attributes)
        visit(point.exemplars)
    }

    private mutating func visit(_ point: HistogramDataPointView) {
        itemCount += 1
        for count in point.bucketCounts { visit(count) }
        for bound in point.explicitBounds { visit(bound.bitPattern) }
        visit(point.attributes)
        visit(point.exemplars)
    }

    private mutating func visit(_ point: ExponentialHistogramDataPointView) {
        itemCount += 1
        for buckets in [point.positive, point.negative] {
            guard let buckets else { continue }
            for count in buckets.bucketCounts { visit(count) }
        }
        visit(point.attributes)
        visit(point.exemplars)
    }
}

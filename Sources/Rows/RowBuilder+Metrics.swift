// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

// Data points: resources, scopes, metrics and bounds first, series after them.
extension RowBuilder {
    mutating func resolveMetrics(
        _ export: borrowing Export, start: BatchRefs.Start
    ) throws(ResolveStop) {
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceMetrics in export.resourceMetrics {
            let resource = ResourceContent(
                view: resourceMetrics.resource, schemaURL: resourceMetrics.schemaURL,
                without: drops.resource)
            let isResourceFaulty = faults.isResourceFaulty(export, ordinals.resource)
            try resolve(
                resource, isFaulty: isResourceFaulty, index: start.resource + ordinals.resource)
            ordinals.resource += 1
            for scopeMetrics in resourceMetrics.scopeMetrics {
                let scope = ScopeContent(
                    view: scopeMetrics.scope, schemaURL: scopeMetrics.schemaURL,
                    without: drops.scope)
                let isScopeFaulty = isResourceFaulty || faults.isScopeFaulty(export, ordinals.scope)
                try resolve(scope, isFaulty: isScopeFaulty, index: start.scope + ordinals.scope)
                ordinals.scope += 1
                for metric in scopeMetrics.metrics {
                    let isFaulty = isScopeFaulty || faults.isMetricFaulty(export, ordinals.metric)
                    try resolve(
                        metric, schemaURL: scopeMetrics.schemaURL, isFaulty: isFaulty,
                        index: start.metric + ordinals.metric)
                    ordinals.metric += 1
                    if case .histogram(let points, _) = metric.data {
                        try resolveBounds(
                            points, of: export, isFaulty: isFaulty, faults: faults, start: start,
                            ordinals: &ordinals)
                    } else {
                        ordinals.item += metric.pointCount
                    }
                }
            }
        }
    }

    private mutating func resolve(
        _ metric: MetricView, schemaURL: ByteSlice, isFaulty: Bool, index: Int
    ) throws(ResolveStop) {
        guard index >= refs.metrics.count else { return }
        // A metric without points has nothing that could hang on it.
        guard !isFaulty, metric.pointCount > 0,
            let content = MetricContent(view: metric, schemaURL: schemaURL)
        else { return try refs.metrics.append(.none) }
        try refs.metrics.append(lookup.ref(content))
    }

    private mutating func resolveBounds(
        _ points: MessageList<HistogramDataPointView>, of export: borrowing Export, isFaulty: Bool,
        faults: FaultQuery, start: BatchRefs.Start, ordinals: inout Ordinals
    ) throws(ResolveStop) {
        for point in points {
            if start.bounds + ordinals.boundedPoint >= refs.bounds.count {
                let isPointFaulty = isFaulty || faults.isItemFaulty(export, ordinals.item)
                let content = BoundsContent(explicitBounds: point.explicitBounds)
                try refs.bounds.append(isPointFaulty ? .none : lookup.ref(content))
            }
            ordinals.boundedPoint += 1
            ordinals.item += 1
        }
    }

    /// The second pass over a metrics export.
    mutating func resolveSeries(
        _ export: borrowing Export, start: BatchRefs.Start, seriesStart: Int
    ) throws(ResolveStop) {
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceMetrics in export.resourceMetrics {
            let resourceID = refs.resources[start.resource + ordinals.resource].id
            ordinals.resource += 1
            for scopeMetrics in resourceMetrics.scopeMetrics {
                let scopeID = refs.scopes[start.scope + ordinals.scope].id
                ordinals.scope += 1
                for metric in scopeMetrics.metrics {
                    let metricID = refs.metrics[start.metric + ordinals.metric].id
                    ordinals.metric += 1
                    // Without a metric id, because something above the points is at fault, no point
                    // has a series.
                    let owner = metricID.map {
                        SeriesOwner(
                            metricID: $0, resourceID: requireID(resourceID), scopeID: scopeID)
                    }
                    switch metric.data {
                    case .none: break
                    case .gauge(let points), .sum(let points, _, _):
                        try resolve(points, of: export, owner, faults, seriesStart, &ordinals)
                    case .histogram(let points, _):
                        try resolve(points, of: export, owner, faults, seriesStart, &ordinals)
                    case .exponentialHistogram(let points, _):
                        try resolve(points, of: export, owner, faults, seriesStart, &ordinals)
                    case .summary(let points):
                        try resolve(points, of: export, owner, faults, seriesStart, &ordinals)
                    }
                }
            }
        }
    }

    private mutating func resolve(
        _ points: MessageList<some AttributedPoint>, of export: borrowing Export,
        _ owner: SeriesOwner?,
        _ faults: FaultQuery, _ seriesStart: Int, _ ordinals: inout Ordinals
    ) throws(ResolveStop) {
        for point in points {
            if seriesStart + ordinals.item >= refs.series.count {
                if let owner, !faults.isItemFaulty(export, ordinals.item) {
                    let content = SeriesContent(
                        metricID: owner.metricID, resourceID: owner.resourceID,
                        scopeID: owner.scopeID,
                        attributes: point.attributes, drops: drops.series)
                    try refs.series.append(lookup.ref(content))
                } else {
                    try refs.series.append(.none)
                }
            }
            ordinals.item += 1
        }
    }
}

/// What the series of one metric have in common.
private struct SeriesOwner {
    let metricID: Int64
    let resourceID: Int64
    let scopeID: Int64?
}

/// A data point of any kind, as far as its series goes.
private protocol AttributedPoint: MessageView {
    var attributes: WireMessageList<KeyValueView> { get }
}

extension NumberDataPointView: AttributedPoint {}
extension HistogramDataPointView: AttributedPoint {}
extension ExponentialHistogramDataPointView: AttributedPoint {}
extension SummaryDataPointView: AttributedPoint {}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

// Data points, resolved: rows of the four tables.
extension RowBuilder {
    /// Returns false when the sink is full.
    mutating func emitPoints(
        of export: borrowing Export, at exportIndex: Int, context: EmissionContext,
        into sink: inout some RowSink & ~Copyable, tally: inout RowTally
    ) -> Bool {
        var emission = PointEmission(
            window: context.window, seriesStart: refs.seriesStart(exportIndex: exportIndex),
            boundsIndex: refs.start(exportIndex: exportIndex).bounds)
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceMetrics in export.resourceMetrics {
            let resourceFault = faults.resourceFault(export, ordinals.resource)
            ordinals.resource += 1
            for scopeMetrics in resourceMetrics.scopeMetrics {
                let scopeFault = resourceFault ?? faults.scopeFault(export, ordinals.scope)
                ordinals.scope += 1
                for metric in scopeMetrics.metrics {
                    emission.ownerFault = scopeFault ?? faults.metricFault(export, ordinals.metric)
                    ordinals.metric += 1
                    guard
                        emit(metric.data, of: export, faults, &emission, into: &sink, tally: &tally)
                    else { return false }
                    if case .histogram(let points, _) = metric.data {
                        emission.boundsIndex += points.count
                    }
                }
            }
        }
        return true
    }

    private func emit(
        _ data: MetricData, of export: borrowing Export, _ faults: FaultQuery,
        _ emission: inout PointEmission, into sink: inout some RowSink & ~Copyable,
        tally: inout RowTally
    ) -> Bool {
        switch data {
        case .none:
            return true
        case .gauge(let points), .sum(let points, _, _):
            return emit(points.count, of: export, faults, &emission, tally: &tally) {
                index, item throws(RowFault) in
                let point = points[index]
                let times = try item.times(point.timeUnixNano, start: point.startTimeUnixNano)
                let row = NumberPointRow(times: times, seriesID: item.seriesID, view: point)
                return sink.append(row, itemOrdinal: item.ordinal)
            }
        case .histogram(let points, _):
            return emit(points.count, of: export, faults, &emission, tally: &tally) {
                index, item throws(RowFault) in
                let point = points[index]
                let times = try item.times(point.timeUnixNano, start: point.startTimeUnixNano)
                let boundsID = refs.bounds[item.boundsIndex + index].id32
                let row = HistogramPointRow(
                    times: times, seriesID: item.seriesID, boundsID: boundsID, view: point)
                return sink.append(row, itemOrdinal: item.ordinal)
            }
        case .exponentialHistogram(let points, _):
            return emit(points.count, of: export, faults, &emission, tally: &tally) {
                index, item throws(RowFault) in
                let point = points[index]
                let times = try item.times(point.timeUnixNano, start: point.startTimeUnixNano)
                let row = ExponentialHistogramPointRow(
                    times: times, seriesID: item.seriesID, view: point)
                return sink.append(row, itemOrdinal: item.ordinal)
            }
        case .summary(let points):
            return emit(points.count, of: export, faults, &emission, tally: &tally) {
                index, item throws(RowFault) in
                let point = points[index]
                let times = try item.times(point.timeUnixNano, start: point.startTimeUnixNano)
                let row = SummaryPointRow(times: times, seriesID: item.seriesID, view: point)
                return sink.append(row, itemOrdinal: item.ordinal)
            }
        }
    }

    /// The points of one metric. Takes a closure and is not generic over the kind of point:
    /// `emitRows` is generic over a sink in another module, and what is generic below it would not
    /// be specialised.
    private func emit(
        _ pointCount: Int, of export: borrowing Export, _ faults: FaultQuery,
        _ emission: inout PointEmission, tally: inout RowTally,
        append: (_ index: Int, _ item: PointItem) throws(RowFault) -> Bool
    ) -> Bool {
        for index in 0..<pointCount {
            let ordinal = emission.ordinal
            emission.ordinal += 1
            if let fault = emission.ownerFault ?? faults.itemFault(export, ordinal) {
                tally.reject(fault, itemOrdinal: ordinal)
                continue
            }
            let item = PointItem(
                window: emission.window, ordinal: ordinal,
                seriesID: requireID(refs.series[emission.seriesStart + ordinal].id),
                boundsIndex: emission.boundsIndex)
            do throws(RowFault) {
                guard try append(index, item) else { return false }
                tally.accept()
            } catch {
                tally.reject(error.fault, itemOrdinal: ordinal)
            }
        }
        return true
    }
}

/// Where the emission of a metrics export stands.
private struct PointEmission {
    let window: AcceptWindow
    let seriesStart: Int
    /// Bounds of the first point of the metric that comes next.
    var boundsIndex: Int
    var ordinal = 0
    /// Fault of something above the points that come next.
    var ownerFault: ItemFault?
}

/// What a point needs to become a row, beside itself.
private struct PointItem {
    let window: AcceptWindow
    let ordinal: Int
    let seriesID: Int64
    /// Bounds of the first point of the metric.
    let boundsIndex: Int

    @inline(__always)
    func times(_ timeUnixNs: UInt64, start startTimeUnixNs: UInt64) throws(RowFault) -> PointTimes {
        try RowFault.pointTimes(
            timeUnixNs: timeUnixNs, startTimeUnixNs: startTimeUnixNs, window: window)
    }
}

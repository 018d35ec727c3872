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
            window: context.window, boundsIndex: refs.start(exportIndex: exportIndex).bounds,
            seriesIndex: refs.seriesStart(exportIndex: exportIndex))
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
                    guard emit(metric.data, of: export, faults, &emission, into: &sink, tally: &tally)
                    else { return false }
                }
            }
        }
        return true
    }

    private func emit(
        _ data: MetricData, of export: borrowing Export, _ faults: FaultQuery,
        _ emission: inout PointEmission, into sink: inout some RowSink & ~Copyable, tally: inout RowTally
    ) -> Bool {
        switch data {
        case .none:
            return true
        case .gauge(let points), .sum(let points, _, _):
            return emit(points, of: export, faults, &emission, into: &sink, tally: &tally)
        case .histogram(let points, _):
            return emit(points, of: export, faults, &emission, into: &sink, tally: &tally)
        case .exponentialHistogram(let points, _):
            return emit(points, of: export, faults, &emission, into: &sink, tally: &tally)
        case .summary(let points):
            return emit(points, of: export, faults, &emission, into: &sink, tally: &tally)
        }
    }

    /// The points of one metric, whatever their kind.
    private func emit<Point: StorablePoint>(
        _ points: MessageList<Point>, of export: borrowing Export, _ faults: FaultQuery,
        _ emission: inout PointEmission, into sink: inout some RowSink & ~Copyable, tally: inout RowTally
    ) -> Bool {
        for point in points {
            let ordinal = emission.ordinal
            let seriesRef = refs.series[emission.seriesIndex]
            let boundsRef = Point.hasBounds ? refs.bounds[emission.boundsIndex] : .none
            emission.advance(hasBounds: Point.hasBounds)
            if let fault = emission.ownerFault ?? faults.itemFault(export, ordinal) {
                tally.reject(fault)
                continue
            }
            do throws(RowFault) {
                let times = try RowFault.pointTimes(
                    timeUnixNs: point.timeUnixNano, startTimeUnixNs: point.startTimeUnixNano,
                    window: emission.window)
                let isAppended = point.append(
                    to: &sink, times: times, seriesID: requireID(seriesRef.id), boundsID: boundsRef.id32,
                    itemOrdinal: ordinal)
                guard isAppended else { return false }
                tally.accept()
            } catch {
                tally.reject(error.fault)
            }
        }
        return true
    }
}

/// Where the emission of a metrics export stands.
private struct PointEmission {
    let window: AcceptWindow
    var boundsIndex: Int
    var seriesIndex: Int
    var ordinal = 0
    /// Fault of something above the points that come next.
    var ownerFault: ItemFault?

    init(window: AcceptWindow, boundsIndex: Int, seriesIndex: Int) {
        self.window = window
        self.boundsIndex = boundsIndex
        self.seriesIndex = seriesIndex
    }

    mutating func advance(hasBounds: Bool) {
        ordinal += 1
        seriesIndex += 1
        if hasBounds { boundsIndex += 1 }
    }
}

/// A data point that knows which row it becomes.
private protocol StorablePoint: MessageView {
    static var hasBounds: Bool { get }
    var timeUnixNano: UInt64 { get }
    var startTimeUnixNano: UInt64 { get }
    func append(
        to sink: inout some RowSink & ~Copyable, times: PointTimes, seriesID: Int64, boundsID: Int32?,
        itemOrdinal: Int
    ) -> Bool
}

extension NumberDataPointView: StorablePoint {
    fileprivate static var hasBounds: Bool { false }

    fileprivate func append(
        to sink: inout some RowSink & ~Copyable, times: PointTimes, seriesID: Int64, boundsID: Int32?,
        itemOrdinal: Int
    ) -> Bool {
        sink.append(NumberPointRow(times: times, seriesID: seriesID, view: self), itemOrdinal: itemOrdinal)
    }
}

extension HistogramDataPointView: StorablePoint {
    fileprivate static var hasBounds: Bool { true }

    fileprivate func append(
        to sink: inout some RowSink & ~Copyable, times: PointTimes, seriesID: Int64, boundsID: Int32?,
        itemOrdinal: Int
    ) -> Bool {
        sink.append(
            HistogramPointRow(times: times, seriesID: seriesID, boundsID: boundsID, view: self),
            itemOrdinal: itemOrdinal)
    }
}

extension ExponentialHistogramDataPointView: StorablePoint {
    fileprivate static var hasBounds: Bool { false }

    fileprivate func append(
        to sink: inout some RowSink & ~Copyable, times: PointTimes, seriesID: Int64, boundsID: Int32?,
        itemOrdinal: Int
    ) -> Bool {
        sink.append(
            ExponentialHistogramPointRow(times: times, seriesID: seriesID, view: self),
            itemOrdinal: itemOrdinal)
    }
}

extension SummaryDataPointView: StorablePoint {
    fileprivate static var hasBounds: Bool { false }

    fileprivate func append(
        to sink: inout some RowSink & ~Copyable, times: PointTimes, seriesID: Int64, boundsID: Int32?,
        itemOrdinal: Int
    ) -> Bool {
        sink.append(SummaryPointRow(times: times, seriesID: seriesID, view: self), itemOrdinal: itemOrdinal)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// The points of a metric, and what holds for all of them.
///
/// `temporality` is `AggregationTemporality`; numbers that OTLP does not define are kept.
package enum MetricData {
    /// No member of the `data` oneof was sent.
    case none
    case gauge(MessageList<NumberDataPointView>)
    case sum(MessageList<NumberDataPointView>, temporality: Int32, isMonotonic: Bool)
    case histogram(MessageList<HistogramDataPointView>, temporality: Int32)
    case exponentialHistogram(MessageList<ExponentialHistogramDataPointView>, temporality: Int32)
    case summary(MessageList<SummaryDataPointView>)
}

/// `Metric`: the points of one instrument.
@safe
package struct MetricView: MessageView {
    let message: UnsafePointer<Otlp__Metric>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Metric.self)
    }

    package var name: ByteSlice { unsafe byteSlice(message.pointee.name) }

    package var description: ByteSlice { unsafe byteSlice(message.pointee.description) }

    package var unit: ByteSlice { unsafe byteSlice(message.pointee.unit) }

    package var metadata: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.metadata, count: message.pointee.n_metadata)
    }

    package var data: MetricData {
        switch unsafe message.pointee.data_case {
        case OTLP__METRIC__DATA_GAUGE:
            let gauge = unsafe message.pointee.gauge.pointee
            return unsafe .gauge(MessageList(gauge.data_points, count: gauge.n_data_points))
        case OTLP__METRIC__DATA_SUM:
            let sum = unsafe message.pointee.sum.pointee
            return unsafe .sum(
                MessageList(sum.data_points, count: sum.n_data_points),
                temporality: Int32(bitPattern: sum.aggregation_temporality.rawValue),
                isMonotonic: sum.is_monotonic != 0)
        case OTLP__METRIC__DATA_HISTOGRAM:
            let histogram = unsafe message.pointee.histogram.pointee
            return unsafe .histogram(
                MessageList(histogram.data_points, count: histogram.n_data_points),
                temporality: Int32(bitPattern: histogram.aggregation_temporality.rawValue))
        case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
            let histogram = unsafe message.pointee.exponential_histogram.pointee
            return unsafe .exponentialHistogram(
                MessageList(histogram.data_points, count: histogram.n_data_points),
                temporality: Int32(bitPattern: histogram.aggregation_temporality.rawValue))
        case OTLP__METRIC__DATA_SUMMARY:
            let summary = unsafe message.pointee.summary.pointee
            return unsafe .summary(MessageList(summary.data_points, count: summary.n_data_points))
        default:
            return .none
        }
    }
}

extension MetricView {
    /// Points of whatever kind the metric has.
    package var pointCount: Int {
        switch data {
        case .none: 0
        case .gauge(let points), .sum(let points, _, _): points.count
        case .histogram(let points, _): points.count
        case .exponentialHistogram(let points, _): points.count
        case .summary(let points): points.count
        }
    }
}

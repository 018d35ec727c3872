// SPDX-License-Identifier: Apache-2.0
internal import COTLP

/// `HistogramDataPoint`: a histogram with explicit bounds.
@safe
package struct HistogramDataPointView: MessageView {
    let message: UnsafePointer<Otlp__HistogramDataPoint>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__HistogramDataPoint.self)
    }

    /// 0 when unknown.
    package var startTimeUnixNano: UInt64 { unsafe message.pointee.start_time_unix_nano }

    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    /// How many measurements the point sums up (`count`).
    package var measurementCount: UInt64 { unsafe message.pointee.count }

    package var sum: Double? {
        unsafe message.pointee._sum_case.rawValue == 0 ? nil : message.pointee.sum
    }

    package var min: Double? {
        unsafe message.pointee._min_case.rawValue == 0 ? nil : message.pointee.min
    }

    package var max: Double? {
        unsafe message.pointee._max_case.rawValue == 0 ? nil : message.pointee.max
    }

    /// One more than there are bounds, or none at all, in a valid point.
    package var bucketCounts: ScalarList<UInt64> {
        unsafe ScalarList(message.pointee.bucket_counts, count: message.pointee.n_bucket_counts)
    }

    package var explicitBounds: ScalarList<Double> {
        unsafe ScalarList(message.pointee.explicit_bounds, count: message.pointee.n_explicit_bounds)
    }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var exemplars: MessageList<ExemplarView> {
        unsafe MessageList(message.pointee.exemplars, count: message.pointee.n_exemplars)
    }

    /// `DataPointFlags`: bit 0 means that no value was recorded.
    package var flags: UInt32 { unsafe message.pointee.flags }
}

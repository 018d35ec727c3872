// SPDX-License-Identifier: Apache-2.0
internal import COTLP

/// `ExponentialHistogramDataPoint`: a histogram whose bounds are powers of 2^(2^-scale).
@safe
package struct ExponentialHistogramDataPointView: MessageView {
    let message: UnsafePointer<Otlp__ExponentialHistogramDataPoint>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(
            to: Otlp__ExponentialHistogramDataPoint.self)
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

    package var scale: Int32 { unsafe message.pointee.scale }

    package var zeroCount: UInt64 { unsafe message.pointee.zero_count }

    package var zeroThreshold: Double { unsafe message.pointee.zero_threshold }

    package var positive: BucketsView? {
        unsafe message.pointee.positive.map { unsafe BucketsView($0) }
    }

    package var negative: BucketsView? {
        unsafe message.pointee.negative.map { unsafe BucketsView($0) }
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

/// `ExponentialHistogramDataPoint.Buckets`: consecutive buckets from `offset` on.
@safe
package struct BucketsView: MessageView {
    let message: UnsafePointer<Otlp__ExponentialHistogramDataPoint__Buckets>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(
            to: Otlp__ExponentialHistogramDataPoint__Buckets.self)
    }

    package var offset: Int32 { unsafe message.pointee.offset }

    package var bucketCounts: ScalarList<UInt64> {
        unsafe ScalarList(message.pointee.bucket_counts, count: message.pointee.n_bucket_counts)
    }
}

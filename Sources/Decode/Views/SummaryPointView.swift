// SPDX-License-Identifier: Apache-2.0
internal import COTLP

/// `SummaryDataPoint`: quantiles computed by the client.
@safe
package struct SummaryDataPointView: MessageView {
    let message: UnsafePointer<Otlp__SummaryDataPoint>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__SummaryDataPoint.self)
    }

    /// 0 when unknown.
    package var startTimeUnixNano: UInt64 { unsafe message.pointee.start_time_unix_nano }

    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    /// How many measurements the point sums up (`count`).
    package var measurementCount: UInt64 { unsafe message.pointee.count }

    package var sum: Double { unsafe message.pointee.sum }

    package var quantileValues: MessageList<QuantileValueView> {
        unsafe MessageList(
            message.pointee.quantile_values, count: message.pointee.n_quantile_values)
    }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    /// `DataPointFlags`: bit 0 means that no value was recorded.
    package var flags: UInt32 { unsafe message.pointee.flags }
}

/// `SummaryDataPoint.ValueAtQuantile`.
@safe
package struct QuantileValueView: MessageView {
    let message: UnsafePointer<Otlp__SummaryDataPoint__ValueAtQuantile>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(
            to: Otlp__SummaryDataPoint__ValueAtQuantile.self)
    }

    /// In 0...1 when valid; 0 is the minimum, 1 the maximum.
    package var quantile: Double { unsafe message.pointee.quantile }

    package var value: Double { unsafe message.pointee.value }
}

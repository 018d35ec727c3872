// SPDX-License-Identifier: Apache-2.0
internal import Decode
internal import Rows

// otel_metrics_data_points_exp_histogram.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing ExponentialHistogramPointRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row, exemplarDrops)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.times.timeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    fileprivate mutating func appendRow(
        _ row: borrowing ExponentialHistogramPointRow, _ drops: AttributeDrops?
    ) -> Bool {
        guard reserve(CopyBuffer.pointPrefixSizeBytes + 10 * CopyBuffer.fieldSizeBytesMax) else {
            return false
        }
        let view = row.view
        let positive = view.positive
        let negative = view.negative
        putPointPrefix(columnCount: 16, times: row.times, seriesID: row.seriesID)
        putField(view.measurementCount)
        putField(view.sum)
        putField(view.min)
        putField(view.max)
        putField(view.zeroCount)
        putField(view.zeroThreshold)
        putField(view.scale)
        putField(positive?.offset)
        putField(negative?.offset)
        putFieldOrNull(zeroIsNull: view.flags)
        return appendField(positive?.bucketCounts) && appendField(negative?.bucketCounts)
            && appendJSONField(exemplars: view.exemplars, without: drops)
    }
}

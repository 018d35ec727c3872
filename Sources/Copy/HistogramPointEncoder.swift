// SPDX-License-Identifier: Apache-2.0
internal import Decode
internal import Rows

// otel_metrics_data_points_histogram.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing HistogramPointRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row, exemplarDrops)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.times.timeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    fileprivate mutating func appendRow(
        _ row: borrowing HistogramPointRow, _ drops: AttributeDrops?
    ) -> Bool {
        guard reserve(CopyBuffer.pointPrefixSizeBytes + 6 * CopyBuffer.fieldSizeBytesMax) else {
            return false
        }
        let view = row.view
        putPointPrefix(columnCount: 11, times: row.times, seriesID: row.seriesID)
        putField(view.measurementCount)
        putField(view.sum)
        putField(view.min)
        putField(view.max)
        putField(row.boundsID)
        putFieldOrNull(zeroIsNull: view.flags)
        return appendField(view.bucketCounts)
            && appendJSONField(exemplars: view.exemplars, without: drops)
    }
}

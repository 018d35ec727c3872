// SPDX-License-Identifier: Apache-2.0
internal import Decode
internal import Rows

// otel_metrics_data_points_summary.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing SummaryPointRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.times.timeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    fileprivate mutating func appendRow(_ row: borrowing SummaryPointRow) -> Bool {
        guard reserve(CopyBuffer.pointPrefixSizeBytes + 3 * CopyBuffer.fieldSizeBytesMax) else {
            return false
        }
        let view = row.view
        putPointPrefix(columnCount: 8, times: row.times, seriesID: row.seriesID)
        putField(view.measurementCount)
        putField(view.sum)
        putFieldOrNull(zeroIsNull: view.flags)
        let quantiles = view.quantileValues
        return appendField(quantiles) { $0.quantile } && appendField(quantiles) { $0.value }
    }
}

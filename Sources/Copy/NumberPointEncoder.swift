// SPDX-License-Identifier: Apache-2.0
internal import Decode
internal import Rows

// otel_metrics_data_points_number.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing NumberPointRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row, exemplarDrops)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.times.timeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    /// Column count and the three columns with which every data point begins.
    static let pointPrefixSizeBytes = 2 + 3 * fieldSizeBytesMax

    /// Needs `pointPrefixSizeBytes`.
    mutating func putPointPrefix(columnCount: Int, times: PointTimes, seriesID: Int64) {
        putColumnCount(columnCount)
        putField(times.timeUnixNs)
        putFieldOrNull(zeroIsNull: times.startTimeUnixNs)
        putField(seriesID)
    }

    fileprivate mutating func appendRow(
        _ row: borrowing NumberPointRow, _ drops: AttributeDrops?
    ) -> Bool {
        guard reserve(CopyBuffer.pointPrefixSizeBytes + 3 * CopyBuffer.fieldSizeBytesMax) else {
            return false
        }
        let view = row.view
        putPointPrefix(columnCount: 7, times: row.times, seriesID: row.seriesID)
        switch view.value {
        case .none:
            putNull()
            putNull()
        case .int(let value):
            putField(value)
            putNull()
        case .double(let value):
            putNull()
            putField(value)
        }
        putFieldOrNull(zeroIsNull: view.flags)
        return appendJSONField(exemplars: view.exemplars, without: drops)
    }
}

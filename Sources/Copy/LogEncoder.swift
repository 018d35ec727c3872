// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Rows

// otel_logs_fact.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing LogRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row, &sorter)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.partitionTimeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    /// Room for the columns of fixed size: no field of them is larger than the uuid.
    private static let logFixedSizeBytes = 256

    fileprivate mutating func appendRow(
        _ row: borrowing LogRow, _ sorter: inout AttributeSorter
    ) -> Bool {
        guard reserve(CopyBuffer.logFixedSizeBytes) else { return false }
        let view = row.view
        putColumnCount(17 + sorter.listedCount)
        putField(row.timeUnixNs)
        putFieldOrNull(zeroIsNull: row.observedTimeUnixNs)
        putField(row.logID)
        putField(row.spanID?.value)
        putField(row.resourceID)
        putField(row.scopeID)
        putFieldOrNull(zeroIsNull: view.severityNumber)
        putFieldOrNull(zeroIsNull: view.flags)
        putFieldOrNull(zeroIsNull: view.droppedAttributesCount)
        putField(view.body.map { CopyBuffer.bodyTypeID(of: $0) })
        if row.isTimeSubstituted { putField(true) } else { putNull() }
        if let traceID = row.traceID { putField(traceID) } else { putNull() }
        return appendFieldOrNull(emptyIsNull: view.severityText)
            && appendFieldOrNull(emptyIsNull: view.eventName)
            && appendBody(view.body)
            && appendJSONField(attributes: view.attributes, sortedBy: &sorter)
            && appendColumns(sorter)
    }

    /// `body_text` and `body`, of which one is NULL at least.
    private mutating func appendBody(_ body: AnyValueView?) -> Bool {
        guard let body else { return appendNull() && appendNull() }
        switch body.kind {
        case .string(let text):
            return appendField(text) && appendNull()
        case .none:
            // What `body_type_id` says already.
            return appendNull() && appendNull()
        case .bool, .int, .double, .array, .kvlist, .bytes:
            guard appendNull(), let offset = beginJSONField(), appendJSON(value: body) else {
                return false
            }
            return endJSONField(at: offset)
        }
    }

    /// As in the table `log_body_types`: the field number in AnyValue.
    private static func bodyTypeID(of body: AnyValueView) -> Int16 {
        switch body.kind {
        case .none: 0
        case .string: 1
        case .bool: 2
        case .int: 3
        case .double: 4
        case .array: 5
        case .kvlist: 6
        case .bytes: 7
        }
    }
}

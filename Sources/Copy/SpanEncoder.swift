// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Rows

// otel_spans_fact.
extension TableBatch {
    /// False, changing nothing, past the budget.
    mutating func append(_ row: borrowing SpanRow, itemOrdinal: Int) -> Bool {
        guard let startOffset = beginRow() else { return false }
        let isEncoded = buffer.appendRow(row, &sorter)
        return endRow(
            from: startOffset, isEncoded: isEncoded, timeUnixNs: row.partitionTimeUnixNs,
            itemOrdinal: itemOrdinal)
    }
}

extension CopyBuffer {
    /// Room for the columns of fixed size: no field of them is larger than the uuid.
    private static let spanFixedSizeBytes = 256

    fileprivate mutating func appendRow(
        _ row: borrowing SpanRow, _ sorter: inout AttributeSorter
    ) -> Bool {
        guard reserve(CopyBuffer.spanFixedSizeBytes) else { return false }
        let view = row.view
        let status = view.status
        putColumnCount(20 + sorter.listedCount)
        putField(row.startTimeUnixNs)
        putField(row.endTimeUnixNs)
        putField(row.spanID.value)
        putField(row.parentSpanID?.value)
        putField(row.resourceID)
        putField(row.scopeID)
        putField(row.operationID)
        putField(row.operationID == nil ? view.kind : nil)
        putFieldOrNull(zeroIsNull: view.flags)
        putField(status?.code)
        putFieldOrNull(zeroIsNull: view.droppedAttributesCount)
        putFieldOrNull(zeroIsNull: view.droppedEventsCount)
        putFieldOrNull(zeroIsNull: view.droppedLinksCount)
        putField(row.traceID)
        return (row.operationID == nil ? appendField(view.name) : appendNull())
            && appendFieldOrNull(emptyIsNull: view.traceState)
            && appendFieldOrNull(emptyIsNull: status?.message ?? .empty)
            && appendJSONField(attributes: view.attributes, sortedBy: &sorter)
            && appendEvents(view, sorter)
            && appendLinks(view, sorter)
            && appendColumns(sorter)
    }

    /// Few spans have any.
    private mutating func appendEvents(
        _ view: SpanView, _ sorter: borrowing AttributeSorter
    ) -> Bool {
        let events = view.events
        return events.isEmpty
            ? appendNull() : appendJSONField(events: events, without: sorter.plan.drops)
    }

    private mutating func appendLinks(
        _ view: SpanView, _ sorter: borrowing AttributeSorter
    ) -> Bool {
        let links = view.links
        return links.isEmpty
            ? appendNull() : appendJSONField(links: links, without: sorter.plan.drops)
    }
}

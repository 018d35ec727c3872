// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode

/// A row of `otel_spans_fact`.
///
/// Ownership: borrows from the arena of the export. Where a comment says so, 0 and empty mean NULL.
package struct SpanRow {
    package let startTimeUnixNs: Int64
    package let endTimeUnixNs: Int64
    package let traceID: TraceID
    package let spanID: SpanID
    /// Nil for a root span.
    package let parentSpanID: SpanID?
    package let resourceID: Int32
    package let scopeID: Int32?
    /// Nil where name and kind stand on this row.
    package let operationID: Int32?
    /// The message itself: columns that are stored as they come are read from it.
    package let view: SpanView

    /// `start_time_unix_nano` says which partition the row goes into.
    package var partitionTimeUnixNs: Int64 { startTimeUnixNs }
}

extension SpanRow {
    /// Checks what PostgreSQL or a reader could not take; text was checked before.
    ///
    /// The order of the checks is the order in which faults are reported.
    static func make(
        _ view: SpanView, resourceID: Int32, scopeID: Int32?, operationID: Int32?,
        window: AcceptWindow
    ) throws(RowFault) -> SpanRow {
        guard let traceID = TraceID(view.traceID) else { throw RowFault(.invalidTraceID) }
        guard let spanID = SpanID(view.spanID) else { throw RowFault(.invalidSpanID) }
        let parent = view.parentSpanID
        guard parent.isEmpty || parent.count == 8 else { throw RowFault(.invalidParentSpanID) }
        let startTimeUnixNs = try RowFault.storable(view.startTimeUnixNano)
        let endTimeUnixNs = try RowFault.storable(view.endTimeUnixNano)
        guard window.contains(view.startTimeUnixNano) else { throw RowFault(.timeOutsideWindow) }
        return SpanRow(
            startTimeUnixNs: startTimeUnixNs, endTimeUnixNs: endTimeUnixNs, traceID: traceID,
            spanID: spanID,
            parentSpanID: SpanID(parent), resourceID: resourceID, scopeID: scopeID,
            operationID: operationID, view: view)
    }
}

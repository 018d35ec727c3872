// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Decode

/// A row of `otel_logs_fact`. Borrows from the arena of the export.
package struct LogRow {
    package let timeUnixNs: Int64
    /// Whether the record said no time, and `timeUnixNs` is the observed time or the time of
    /// arrival.
    package let isTimeSubstituted: Bool
    /// 0 means NULL.
    package let observedTimeUnixNs: Int64
    package let logID: Int64
    /// Nil where the record names no valid trace.
    package let traceID: TraceID?
    /// Nil where the record names no valid span.
    package let spanID: SpanID?
    package let resourceID: Int32
    package let scopeID: Int32?
    /// The message itself: columns that are stored as they come are read from it.
    package let view: LogRecordView

    /// `time_unix_nano` says which partition the row goes into.
    package var partitionTimeUnixNs: Int64 { timeUnixNs }
}

extension LogRow {
    /// The times of a log record, checked.
    struct Times {
        let timeUnixNs: Int64
        let observedTimeUnixNs: Int64
        let isTimeSubstituted: Bool

        init(_ view: LogRecordView, arrivalUnixNs: UInt64, window: AcceptWindow) throws(RowFault) {
            observedTimeUnixNs = try RowFault.storable(view.observedTimeUnixNano)
            isTimeSubstituted = view.timeUnixNano == 0
            let substitute =
                view.observedTimeUnixNano == 0 ? arrivalUnixNs : view.observedTimeUnixNano
            let unixNs = isTimeSubstituted ? substitute : view.timeUnixNano
            timeUnixNs = try RowFault.storable(unixNs)
            guard window.contains(unixNs) else { throw RowFault(.timeOutsideWindow) }
        }
    }

    init(_ view: LogRecordView, times: Times, logID: Int64, resourceID: Int32, scopeID: Int32?) {
        timeUnixNs = times.timeUnixNs
        isTimeSubstituted = times.isTimeSubstituted
        observedTimeUnixNs = times.observedTimeUnixNs
        self.logID = logID
        traceID = TraceID(view.traceID)
        spanID = SpanID(view.spanID)
        self.resourceID = resourceID
        self.scopeID = scopeID
        self.view = view
    }
}

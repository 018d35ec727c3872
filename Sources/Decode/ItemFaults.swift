// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Why one item of an otherwise good export cannot be stored.
package enum ItemFault: UInt8, Sendable {
    case nulInText
    case invalidUTF8
    case invalidTraceID
    case invalidSpanID
    case invalidParentSpanID
    case timeOutOfRange
    case timeOutsideWindow

    /// As it is stored (`otel_dead_letters.reason`).
    package var name: String {
        switch self {
        case .nulInText: "nul_in_text"
        case .invalidUTF8: "invalid_utf8"
        case .invalidTraceID: "invalid_trace_id"
        case .invalidSpanID: "invalid_span_id"
        case .invalidParentSpanID: "invalid_parent_span_id"
        case .timeOutOfRange: "time_out_of_range"
        case .timeOutsideWindow: "time_outside_window"
        }
    }

    /// A sentence for the client; never repeats payload.
    package var description: String {
        switch self {
        case .nulInText: "a string contains a NUL character"
        case .invalidUTF8: "a string is not valid UTF-8"
        case .invalidTraceID: "trace_id is not 16 bytes or is all zero"
        case .invalidSpanID: "span_id is not 8 bytes or is all zero"
        case .invalidParentSpanID: "parent_span_id is neither empty nor 8 bytes"
        case .timeOutOfRange: "a time is 2^63 nanoseconds or more"
        case .timeOutsideWindow: "the time lies outside the window that is accepted"
        }
    }
}

/// The faults of one export that were found in its bytes, by the ordinal of what they are in.
///
/// Ordinals count from 0 over the whole request, per level, in wire order. A fault of a resource, a
/// scope or a metric applies to every item beneath it. Only the first fault of each is kept.
/// Memory: charged to the budget. Thread: wherever its export is.
package struct ItemFaults: ~Copyable, Sendable {
    private var resources: FaultList
    private var scopes: FaultList
    private var metrics: FaultList
    private var items: FaultList

    init(budget: MemoryBudget) {
        resources = FaultList(budget: budget)
        scopes = FaultList(budget: budget)
        metrics = FaultList(budget: budget)
        items = FaultList(budget: budget)
    }

    /// True when nothing in the export is at fault: the usual case, and the cheap question to ask
    /// first.
    package var isEmpty: Bool {
        resources.isEmpty && scopes.isEmpty && metrics.isEmpty && items.isEmpty
    }

    /// Fault in a `Resource…` envelope or in its resource. O(log n).
    package func resourceFault(_ ordinal: Int) -> ItemFault? { resources[ordinal] }

    /// Fault in a `Scope…` envelope or in its scope. O(log n).
    package func scopeFault(_ ordinal: Int) -> ItemFault? { scopes[ordinal] }

    /// Fault in a metric, outside of its points. O(log n).
    package func metricFault(_ ordinal: Int) -> ItemFault? { metrics[ordinal] }

    /// Fault in a span, a log record or a data point. O(log n).
    package func itemFault(_ ordinal: Int) -> ItemFault? { items[ordinal] }

    /// Notes a fault unless `ordinal` has one already; ordinals of a level must not fall.
    ///
    /// Returns false, noting nothing, when the memory budget is spent.
    mutating func note(_ fault: ItemFault, level: FaultLevel, ordinal: Int) -> Bool {
        switch level {
        case .resource: resources.note(fault, ordinal: ordinal)
        case .scope: scopes.note(fault, ordinal: ordinal)
        case .metric: metrics.note(fault, ordinal: ordinal)
        case .item: items.note(fault, ordinal: ordinal)
        }
    }

    /// Bytes of the budget that the faults hold.
    var heldSizeBytes: Int {
        resources.heldSizeBytes + scopes.heldSizeBytes + metrics.heldSizeBytes + items.heldSizeBytes
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// One decoded export request: owner of the arena in which its messages live.
///
/// Every view obtained from it borrows from that arena and must not outlive the export.
/// Memory: one allocation, charged to the budget until the export is destroyed. Thread: moved as a
/// whole.
@safe
package struct Export: ~Copyable, @unchecked Sendable {
    package let signal: Signal
    /// Spans, log records or data points in all, the faulty ones included.
    package let itemCount: Int
    /// Text faults; the rows have more to check.
    package let faults: ItemFaults
    /// Holds the messages; not read after unpacking.
    private let arena: Arena
    /// The `Export…ServiceRequest`, inside `arena`.
    let root: UnsafeRawPointer
    let budget: MemoryBudget
    /// What `stamp` has added; the messages point into it.
    var stampMemory: StampMemory?
    /// Bytes of the budget that are held for `arena`.
    let arenaCapacityBytes: Int
    /// Bytes of it that may be used: what the pre-scan predicted.
    package let arenaSizeBytes: Int
    /// Bytes that were handed out again while unpacking.
    private let reusedSizeBytes: Int

    /// Takes over `arena`, for whose size the caller has reserved the bytes.
    init(
        signal: Signal, itemCount: Int, faults: consuming ItemFaults, arena: consuming Arena,
        reusedSizeBytes: Int, root: UnsafeRawPointer, budget: MemoryBudget
    ) {
        self.signal = signal
        self.itemCount = itemCount
        self.faults = faults
        arenaSizeBytes = arena.sizeBytes
        arenaCapacityBytes = arena.capacityBytes
        self.reusedSizeBytes = reusedSizeBytes
        self.arena = arena
        unsafe self.root = root
        self.budget = budget
    }

    deinit {
        // In this order: what is released may be reserved by somebody else at once.
        Self.free(arena)
        budget.release(arenaCapacityBytes)
    }

    private static func free(_ arena: consuming Arena) {}

    package var items: ExportItems { ExportItems(signal: signal, count: itemCount) }

    /// Bytes of the budget that the export holds.
    package var heldSizeBytes: Int {
        arenaCapacityBytes + faults.heldSizeBytes + (stampMemory?.sizeBytes ?? 0)
    }

    /// Bytes that protobuf-c asked for, padding between the pieces included.
    var usedSizeBytes: Int { arena.usedSizeBytes + reusedSizeBytes }

    /// The request itself.
    var rootMessage: UnsafePointer<ProtobufCMessage> {
        unsafe root.assumingMemoryBound(to: ProtobufCMessage.self)
    }

    /// Empty unless the signal is traces.
    package var resourceSpans: MessageList<ResourceSpansView> {
        guard signal == .traces else { return unsafe MessageList(nil, count: 0) }
        let request = unsafe root.assumingMemoryBound(to: Otlp__ExportTraceServiceRequest.self)
        return unsafe MessageList(
            request.pointee.resource_spans, count: request.pointee.n_resource_spans)
    }

    /// Empty unless the signal is logs.
    package var resourceLogs: MessageList<ResourceLogsView> {
        guard signal == .logs else { return unsafe MessageList(nil, count: 0) }
        let request = unsafe root.assumingMemoryBound(to: Otlp__ExportLogsServiceRequest.self)
        return unsafe MessageList(
            request.pointee.resource_logs, count: request.pointee.n_resource_logs)
    }

    /// Empty unless the signal is metrics.
    package var resourceMetrics: MessageList<ResourceMetricsView> {
        guard signal == .metrics else { return unsafe MessageList(nil, count: 0) }
        let request = unsafe root.assumingMemoryBound(to: Otlp__ExportMetricsServiceRequest.self)
        return unsafe MessageList(
            request.pointee.resource_metrics, count: request.pointee.n_resource_metrics)
    }
}

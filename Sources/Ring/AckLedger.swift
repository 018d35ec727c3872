// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Synchronization

/// Where one export's outcome has to go: the connection and stream that wait for it.
///
/// To an export that no client waits for, whoever opens its ticket gives numbers of its own.
package struct AckAddress: Sendable, Equatable {
    /// Names the connection within its loop; never reused.
    package let connectionID: UInt64
    package let streamID: Int32

    package init(connectionID: UInt64, streamID: Int32) {
        self.connectionID = connectionID
        self.streamID = streamID
    }
}

/// The outcomes that travel back to the streams of one event loop.
///
/// Every export that is taken in opens a ticket, every ticket is settled exactly once, and the loop
/// collects the settlements in its turn, whether or not the stream is still there to hear.
/// Thread: tickets are settled by any thread; `collect` is the loop's.
package final class AckLedger: Sendable {
    package struct Settlement: Sendable {
        package let address: AckAddress
        package let outcome: Outcome
        /// What the export holds; nil where it was not decoded.
        package let items: ExportItems?
    }

    private let settled = Mutex<[Settlement]>([])
    private let openCount = Atomic<Int>(0)
    private let wake: @Sendable () -> Void
    /// Takes each settlement at once, where nobody collects.
    private let receive: (@Sendable (Settlement) -> Void)?

    /// `wake` makes the loop turn; called when the first of several settlements waits.
    package init(wake: @escaping @Sendable () -> Void) {
        self.wake = wake
        receive = nil
    }

    /// `receive` is called for each settlement, on the thread that settles.
    package init(receive: @escaping @Sendable (Settlement) -> Void) {
        wake = {}
        self.receive = receive
    }

    /// Tickets that are open now.
    package var openTicketCount: Int { openCount.load(ordering: .relaxed) }

    package func open(_ address: AckAddress) -> AckTicket {
        openCount.add(1, ordering: .relaxed)
        return AckTicket(ledger: self, address: address)
    }

    /// Moves all waiting settlements into `list`, replacing its content.
    package func collect(into list: inout [Settlement]) {
        list.removeAll(keepingCapacity: true)
        settled.withLock { swap(&$0, &list) }
    }

    fileprivate func settle(_ settlement: Settlement) {
        openCount.subtract(1, ordering: .relaxed)
        if let receive { return receive(settlement) }
        let isFirst = settled.withLock { waiting in
            waiting.append(settlement)
            return waiting.count == 1
        }
        if isFirst { wake() }
    }
}

/// The duty to tell one client what became of its export.
///
/// It cannot be copied or forgotten: settling consumes it, and one that is dropped tells the client
/// to send again, so that no code path can lose an answer.
package struct AckTicket: ~Copyable, Sendable {
    private let ledger: AckLedger
    package let address: AckAddress
    private var isSettled = false

    fileprivate init(ledger: AckLedger, address: AckAddress) {
        self.ledger = ledger
        self.address = address
    }

    deinit {
        guard !isSettled else { return }
        ledger.settle(
            .init(
                address: address,
                outcome: .retry(
                    afterMs: Limits.retryAfterMsMin, message: "the daemon gave the request up"),
                items: nil))
    }

    /// Reports the outcome, and of how many items it is.
    package consuming func settle(_ outcome: Outcome, items: ExportItems? = nil) {
        ledger.settle(.init(address: address, outcome: outcome, items: items))
        isSettled = true
    }
}

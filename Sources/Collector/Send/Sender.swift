// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Synchronization

/// Sends made-up telemetry and counts what is acknowledged: a load generator and smoke test.
package final class Sender: Sendable {
    let options: SendOptions
    let templates: [RequestTemplate]
    private let nextSerial = Atomic<Int>(0)
    private let acknowledgedCount = Atomic<Int>(0)
    private let startNs: UInt64

    /// Different requests to choose from; more would only cost memory.
    private static let templateCount = 16

    package init(options: SendOptions) {
        precondition(options.batchItemCount > 0 && options.connectionCount > 0)
        self.options = options
        var source = TelemetryTemplates(seed: options.seed, shape: options.shape)
        templates = (0..<Sender.templateCount).map { _ in
            source.request(options.signal, itemCount: options.batchItemCount)
        }
        startNs = Clock.monotonicNs
    }

    /// Items acknowledged so far; any thread.
    package var acknowledgedItemCount: Int { acknowledgedCount.load(ordering: .relaxed) }

    func countAcknowledged(_ count: Int) { acknowledgedCount.add(count, ordering: .relaxed) }

    /// Sends everything and waits for the answers. Blocks.
    package func run() -> SendReport {
        let collected = ReportBox()
        let threads = (0..<options.connectionCount).map { index in
            WorkerThread(name: "send-\(index)") { [self] in
                let connection = SenderConnection(sender: self)
                collected.add(connection.run())
            }
        }
        for thread in threads { thread.join() }
        var total = collected.total
        total.elapsedNs = Clock.monotonicNs - startNs
        return total
    }

    /// The next request to send: its first item's number and how many items it has; nil when all
    /// are out.
    func nextRange() -> (firstSerial: Int, itemCount: Int)? {
        let first = nextSerial.add(options.batchItemCount, ordering: .relaxed).oldValue
        guard first < options.itemCount else { return nil }
        return (first, min(options.batchItemCount, options.itemCount - first))
    }

    /// When the item numbered `firstSerial` is due at the configured rate; nil without one.
    func dueNs(ofSerial firstSerial: Int) -> UInt64? {
        guard options.itemsPerSecond > 0 else { return nil }
        return startNs + UInt64(firstSerial) * 1_000_000_000 / UInt64(options.itemsPerSecond)
    }

    /// Milliseconds until the item numbered `firstSerial` is due at the configured rate.
    func delayMs(beforeSerial firstSerial: Int) -> Int {
        guard let dueNs = dueNs(ofSerial: firstSerial) else { return 0 }
        let nowNs = Clock.monotonicNs
        return dueNs > nowNs ? Int((dueNs - nowNs) / 1_000_000) + 1 : 0
    }
}

/// Adds up the reports of the connections' threads.
private final class ReportBox: Sendable {
    private let value = Mutex(SendReport())
    func add(_ report: SendReport) { value.withLock { $0.add(report) } }
    var total: SendReport { value.withLock { $0 } }
}

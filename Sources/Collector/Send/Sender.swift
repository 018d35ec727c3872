// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Synchronization

/// Sends made-up telemetry and counts what is acknowledged: a load generator and smoke test.
package final class Sender: RequestSource {
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

    var delivery: Delivery { options.delivery }

    /// Sends everything and waits for the answers. Blocks.
    package func run() -> SendReport {
        let collected = ReportBox()
        let threads = (0..<options.connectionCount).map { index in
            WorkerThread(name: "send-\(index)") { [self] in
                let connection = SenderConnection(from: self)
                collected.add(connection.run())
            }
        }
        for thread in threads { thread.join() }
        var total = collected.total
        total.elapsedNs = Clock.monotonicNs - startNs
        return total
    }

    // MARK: RequestSource

    func next() -> PlannedRequest? {
        guard let (first, count) = nextRange() else { return nil }
        return PlannedRequest(
            signal: options.signal, itemCount: count, dueNs: dueNs(ofSerial: first), origin: ""
        ) { [self] in
            message(firstSerial: first, itemCount: count)
        }
    }

    func note(_ outcome: RequestOutcome, of request: PlannedRequest) {
        if case .stored(let rejectedCount, _) = outcome {
            acknowledgedCount.add(request.itemCount - rejectedCount, ordering: .relaxed)
        }
    }

    func giveUp() -> Int {
        var itemCount = 0
        while let range = nextRange() { itemCount += range.itemCount }
        return itemCount
    }

    /// The next request to send: its first item's number and how many items it has; nil when all
    /// are out.
    private func nextRange() -> (firstSerial: Int, itemCount: Int)? {
        let first = nextSerial.add(options.batchItemCount, ordering: .relaxed).oldValue
        guard first < options.itemCount else { return nil }
        return (first, min(options.batchItemCount, options.itemCount - first))
    }

    /// When the item numbered `firstSerial` is due at the configured rate; nil without one.
    private func dueNs(ofSerial firstSerial: Int) -> UInt64? {
        guard options.itemsPerSecond > 0 else { return nil }
        return startNs + UInt64(firstSerial) * 1_000_000_000 / UInt64(options.itemsPerSecond)
    }

    private func message(firstSerial: Int, itemCount: Int) -> [UInt8] {
        var template = templates[firstSerial / options.batchItemCount % templates.count]
        if itemCount != template.itemCount {
            var source = TelemetryTemplates(
                seed: options.seed &+ UInt64(firstSerial), shape: options.shape)
            template = source.request(options.signal, itemCount: itemCount)
        }
        return template.instantiate(
            seed: options.seed, firstSerial: firstSerial, unixNs: Clock.unixNs)
    }
}

/// Adds up the reports of the connections' threads.
private final class ReportBox: Sendable {
    private let value = Mutex(SendReport())
    func add(_ report: SendReport) { value.withLock { $0.add(report) } }
    var total: SendReport { value.withLock { $0 } }
}

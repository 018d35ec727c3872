// SPDX-License-Identifier: Apache-2.0
package import Base
package import Socket
package import TLS

/// How a client of ours sends: to whom, and with how much patience.
package struct Delivery: Sendable {
    package var endpoint: Endpoint
    /// Nil sends without TLS.
    package var context: TLSClientContext?
    /// Requests that wait for their answer at once, per connection.
    package var inFlightCount = 2
    package var isCompressed = false
    /// Time for one attempt.
    package var timeoutMs = 10_000
    /// Time after which an unacknowledged request is given up.
    package var giveUpAfterMs = 60_000
    /// Goes with each request; nil for none.
    package var token: String?

    package init(to endpoint: Endpoint) { self.endpoint = endpoint }
}

/// What `starling send` is to send, and how.
package struct SendOptions: Sendable {
    package var signal: Signal
    package var delivery: Delivery
    /// Items in all.
    package var itemCount = 10_000
    /// Items per request.
    package var batchItemCount = 512
    package var connectionCount = 1
    /// Items per second over all connections; 0 sends as fast as answers come.
    package var itemsPerSecond = 0
    package var seed: UInt64 = 1
    package var shape = TelemetryShape()

    package init(signal: Signal, endpoint: Endpoint) {
        self.signal = signal
        delivery = Delivery(to: endpoint)
    }
}

/// What became of what was sent. Items add up: sent = acknowledged + rejected + failed.
package struct SendReport: Sendable {
    package var sentItemCount = 0
    /// Acknowledged as stored.
    package var acknowledgedItemCount = 0
    /// Reported by partial success as never to be stored.
    package var rejectedItemCount = 0
    /// Refused for good, or given up after `giveUpAfterMs`.
    package var failedItemCount = 0
    package var requestCount = 0
    package var retryCount = 0
    package var sentSizeBytes = 0
    package var elapsedNs: UInt64 = 0
    /// Time to acknowledgement per request, unordered: from when the rate wanted it sent, or from
    /// the first attempt where there is no rate.
    package var latenciesNs: [UInt64] = []
    /// Whether there was ever a connection.
    package var wasConnected = false
    /// The last failure's words.
    package var lastError: String?

    mutating func add(_ other: SendReport) {
        sentItemCount += other.sentItemCount
        acknowledgedItemCount += other.acknowledgedItemCount
        rejectedItemCount += other.rejectedItemCount
        failedItemCount += other.failedItemCount
        requestCount += other.requestCount
        retryCount += other.retryCount
        sentSizeBytes += other.sentSizeBytes
        latenciesNs += other.latenciesNs
        wasConnected = wasConnected || other.wasConnected
        lastError = other.lastError ?? lastError
    }

    /// The latency below which `share` of the requests were acknowledged, in nanoseconds.
    package func latencyNs(share: Double) -> UInt64 {
        guard !latenciesNs.isEmpty else { return 0 }
        let sorted = latenciesNs.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
}

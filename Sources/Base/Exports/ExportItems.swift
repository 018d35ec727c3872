// SPDX-License-Identifier: Apache-2.0

/// How many items an export holds.
package struct ExportItems: Sendable, Equatable {
    package let signal: Signal
    package let count: Int

    package init(signal: Signal, count: Int) {
        self.signal = signal
        self.count = count
    }
}

/// What an export came over.
package enum ExportTransport: String, Sendable, CaseIterable {
    case grpc, http
}

extension ExportTransport {
    /// Items of `signal` whose requests were acknowledged.
    package func acceptedCounter(_ signal: Signal) -> Counter {
        switch (self, signal) {
        case (.grpc, .traces): .spansAcceptedOverGRPC
        case (.grpc, .logs): .logRecordsAcceptedOverGRPC
        case (.grpc, .metrics): .dataPointsAcceptedOverGRPC
        case (.http, .traces): .spansAcceptedOverHTTP
        case (.http, .logs): .logRecordsAcceptedOverHTTP
        case (.http, .metrics): .dataPointsAcceptedOverHTTP
        }
    }

    /// Items of `signal` whose clients were told that nothing is stored.
    package func refusedCounter(_ signal: Signal) -> Counter {
        switch (self, signal) {
        case (.grpc, .traces): .spansRefusedOverGRPC
        case (.grpc, .logs): .logRecordsRefusedOverGRPC
        case (.grpc, .metrics): .dataPointsRefusedOverGRPC
        case (.http, .traces): .spansRefusedOverHTTP
        case (.http, .logs): .logRecordsRefusedOverHTTP
        case (.http, .metrics): .dataPointsRefusedOverHTTP
        }
    }
}

extension Counters {
    /// Counts the items of an export by its outcome. `items` is nil where it was not decoded.
    package func addAnswered(
        _ items: ExportItems?, _ outcome: Outcome, over transport: ExportTransport
    ) {
        guard let items else { return }
        switch outcome {
        case .accepted: add(transport.acceptedCounter(items.signal), items.count)
        case .partial(let rejectedItemCount, _):
            add(transport.acceptedCounter(items.signal), max(0, items.count - rejectedItemCount))
        case .retry, .throttled, .refused, .expired:
            add(transport.refusedCounter(items.signal), items.count)
        }
    }
}

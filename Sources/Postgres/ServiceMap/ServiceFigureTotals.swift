// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Calls, errors and durations, added up by whatever tells their owners apart.
///
/// Cost: 2 kB per key.
package struct ServiceFigureTotals<Key: Hashable & Sendable>: Sendable {
    package struct Total: Sendable {
        package var callCount: Int64 = 0
        package var errorCount: Int64 = 0
        package var latencySumNs: Double = 0
        package var latency = LatencyHistogram()
        /// Some of it was not counted but reckoned.
        package var isEstimate = false
    }

    package private(set) var byKey: [Key: Total] = [:]

    package init() {}

    /// Adds the figures of each row: calls, errors, sum of durations and `latency_buckets` stand in
    /// that order from `firstColumn` on; behind them, whether they are an estimate, where
    /// `tellsEstimates` says so.
    package mutating func add(
        _ rows: borrowing QueryResult, figuresFrom firstColumn: Int, tellsEstimates: Bool = false,
        key: (borrowing QueryResult, _ row: Int) -> Key
    ) {
        for row in 0..<rows.rowCount {
            let isEstimate =
                tellsEstimates && rows.bool(row: row, column: firstColumn + 4) == true
            byKey[key(rows, row), default: Total()].add(
                rows, row: row, figuresFrom: firstColumn, isEstimate: isEstimate)
        }
    }

    /// Those with most calls first; `isBefore` decides between equals.
    ///
    /// Cost: sorts numbers, not what they stand for, which is large. Made anew for each type of key,
    /// without which sorting took two thirds of the time of an answer.
    @inlinable
    package func ordered(
        by isBefore: (Key, Key) -> Bool
    ) -> [(key: Key, value: Total)] {
        let owners = Array(byKey)
        let callCounts = owners.map(\.value.callCount)
        let order = owners.indices.sorted { one, other in
            callCounts[one] == callCounts[other]
                ? isBefore(owners[one].key, owners[other].key)
                : callCounts[one] > callCounts[other]
        }
        return order.map { owners[$0] }
    }
}

extension ServiceFigureTotals.Total {
    fileprivate mutating func add(
        _ rows: borrowing QueryResult, row: Int, figuresFrom first: Int, isEstimate: Bool
    ) {
        callCount += rows.integer(row: row, column: first) ?? 0
        errorCount += rows.integer(row: row, column: first + 1) ?? 0
        latencySumNs += rows.double(row: row, column: first + 2) ?? 0
        latency.add(packed: rows.bytes(row: row, column: first + 3))
        self.isEstimate = self.isEstimate || isEstimate
    }
}

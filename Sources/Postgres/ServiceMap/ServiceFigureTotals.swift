// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Calls, errors and durations of one owner.
///
/// Cost: 2 kB.
package struct ServiceFigureTotal: Sendable {
    package private(set) var callCount: Int64 = 0
    package private(set) var errorCount: Int64 = 0
    package private(set) var latencySumNs: Double = 0
    package private(set) var latency = LatencyHistogram()
    /// Some of it was not counted but reckoned.
    package private(set) var isEstimate = false

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

/// Calls, errors and durations, added up by whatever tells their owners apart.
package struct ServiceFigureTotals<Owner: Hashable & Sendable>: Sendable {
    private var places: [Owner: Int] = [:]
    /// By place. Apart from one another: totals need no code that is made for their owners.
    private var owners: [Owner] = []
    private var totals: [ServiceFigureTotal] = []

    package init() {}

    /// Adds the figures of each row: calls, errors, sum of durations and `latency_buckets` stand in
    /// that order from `firstColumn` on; behind them, whether they are an estimate, where
    /// `tellsEstimates` says so.
    package mutating func add(
        _ rows: borrowing QueryResult, figuresFrom firstColumn: Int, tellsEstimates: Bool = false,
        owner: (borrowing QueryResult, _ row: Int) -> Owner
    ) {
        for row in 0..<rows.rowCount {
            let isEstimate =
                tellsEstimates && rows.bool(row: row, column: firstColumn + 4) == true
            totals[place(of: owner(rows, row))].add(
                rows, row: row, figuresFrom: firstColumn, isEstimate: isEstimate)
        }
    }

    private mutating func place(of owner: Owner) -> Int {
        if let place = places[owner] { return place }
        places[owner] = owners.count
        owners.append(owner)
        totals.append(ServiceFigureTotal())
        return owners.count - 1
    }

    /// Those with most calls first; `isBefore` decides between equals.
    package func ordered(
        by isBefore: (Owner, Owner) -> Bool
    ) -> [(owner: Owner, total: ServiceFigureTotal)] {
        // Numbers are sorted, not what they stand for, which is large.
        let callCounts = totals.map(\.callCount)
        let order = owners.indices.sorted { one, other in
            callCounts[one] == callCounts[other]
                ? isBefore(owners[one], owners[other]) : callCounts[one] > callCounts[other]
        }
        return order.map { (owners[$0], totals[$0]) }
    }
}

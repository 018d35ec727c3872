// SPDX-License-Identifier: Apache-2.0

/// Hands out values of `otel_logs_fact.log_id` from ranges that the caller reserved in the
/// database.
///
/// Before a batch of logs is emitted, ask `shortage(forRecordCount:)` and add ranges until it is 0.
/// Thread: confined to one.
package struct LogIDSource {
    private var current: Range<Int64> = 0..<0
    /// Used after `current`, the last one first.
    private var spare: [Range<Int64>] = []

    package init() {}

    /// Ids that can still be handed out.
    package var remainingCount: Int { spare.reduce(current.count) { $0 + $1.count } }

    /// How many ids must be added before `recordCount` can be handed out; 0 when there are enough.
    package func shortage(forRecordCount recordCount: Int) -> Int {
        max(0, recordCount - remainingCount)
    }

    /// Adds a range that nobody else has. Ranges are used up in the order in which they were added.
    package mutating func add(_ range: Range<Int64>) {
        if current.isEmpty { current = range } else if !range.isEmpty { spare.insert(range, at: 0) }
    }

    /// The next id. The caller has made sure that there is one.
    mutating func next() -> Int64 {
        precondition(!current.isEmpty, "log ids were not refilled")
        let id = current.lowerBound
        current = id + 1..<current.upperBound
        if current.isEmpty, let range = spare.popLast() { current = range }
        return id
    }
}

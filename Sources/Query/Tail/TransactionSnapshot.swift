// SPDX-License-Identifier: Apache-2.0

/// What a statement could see, as PostgreSQL's type `pg_snapshot` says it: which transactions had
/// committed by then.
struct TransactionSnapshot: Sendable, Equatable {
    /// All below are over.
    let oldest: UInt64
    /// All from here on had not begun.
    let next: UInt64
    /// Those in between that were under way, ascending.
    let underWay: [UInt64]

    /// More than there can be sessions.
    static let underWayCountMax = 4_096

    init(oldest: UInt64, next: UInt64, underWay: [UInt64]) {
        self.oldest = oldest
        self.next = next
        self.underWay = underWay
    }

    /// Reads `10:20:10,14,15`; nil for anything else, such as what PostgreSQL would not take.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let oldest = UInt64(parts[0]), let next = UInt64(parts[1]) else {
            return nil
        }
        let numbers = parts[2].split(separator: ",").map { UInt64($0) }
        self.init(oldest: oldest, next: next, underWay: numbers.compactMap(\.self))
        guard underWay.count == numbers.count, isWellFormed else { return nil }
    }

    /// What PostgreSQL asks of one.
    var isWellFormed: Bool {
        guard oldest > 0, oldest <= next, next <= UInt64(Int64.max),
            underWay.count <= TransactionSnapshot.underWayCountMax
        else { return false }
        var last = oldest
        for (index, number) in underWay.enumerated() {
            guard number >= last, number < next, index == 0 || number > last else { return false }
            last = number
        }
        return true
    }

    var text: String {
        "\(oldest):\(next):\(underWay.map(String.init).joined(separator: ","))"
    }
}

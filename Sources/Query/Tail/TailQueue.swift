// SPDX-License-Identifier: Apache-2.0

/// What waits to be sent to one client, oldest first.
///
/// Bounded: where it is full, the oldest rows give way to a count of them.
struct TailQueue {
    /// Rows that wait.
    static let rowCountMax = 2_000
    /// Their bytes. A row that is larger by itself is counted and not sent.
    static let sizeBytesMax = 1 << 20

    enum Entry: Equatable {
        /// JSON, and where it ends; nil for what is no place to go on from.
        case row([UInt8], cursor: String?)
        /// Rows that are not shown; nil where nobody knows how many.
        case lagged(Int64?, cursor: String?)
        /// Nothing but where it ends.
        case position(cursor: String)
        case status(isDatabaseThere: Bool, detail: String)
    }

    private(set) var entries: [Entry] = []
    private var rowCount = 0
    private var sizeBytes = 0
    /// Rows that gave way, as far as they are known.
    private(set) var droppedCount = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func append(_ entry: Entry) {
        switch entry {
        case .row(let json, let cursor):
            guard json.count <= TailQueue.sizeBytesMax else {
                droppedCount += 1
                return append(.lagged(1, cursor: cursor))
            }
            rowCount += 1
            sizeBytes += json.count
            entries.append(entry)
            if rowCount > TailQueue.rowCountMax || sizeBytes > TailQueue.sizeBytesMax { dropRows() }
        case .lagged(let count, let cursor):
            if case .lagged(let before, let earlier)? = entries.last {
                entries[entries.count - 1] = .lagged(
                    TailQueue.sum(before, count), cursor: cursor ?? earlier)
            } else {
                entries.append(entry)
            }
        case .position:
            // A later place says more than an earlier one.
            if case .position? = entries.last { entries.removeLast() }
            entries.append(entry)
        case .status: entries.append(entry)
        }
    }

    /// The first `count` are sent.
    mutating func removeFirst(_ count: Int) {
        for entry in entries.prefix(count) { forget(entry) }
        entries.removeFirst(count)
    }

    private mutating func forget(_ entry: Entry) {
        guard case .row(let json, _) = entry else { return }
        rowCount -= 1
        sizeBytes -= json.count
    }

    /// Halves what waits, from the oldest on: not one by one, each of which would move the others.
    private mutating func dropRows() {
        var skipped: Int64? = 0
        var cursor: String?
        var count = 0
        for entry in entries {
            let isEnough =
                rowCount <= TailQueue.rowCountMax / 2 && sizeBytes <= TailQueue.sizeBytesMax / 2
            if isEnough, case .row = entry { break }
            switch entry {
            case .row(_, let end):
                skipped = TailQueue.sum(skipped, 1)
                droppedCount += 1
                cursor = end ?? cursor
            case .lagged(let earlier, let end):
                skipped = TailQueue.sum(skipped, earlier)
                cursor = end ?? cursor
            case .position(let end): cursor = end
            case .status: break
            }
            forget(entry)
            count += 1
        }
        entries.replaceSubrange(0..<count, with: [.lagged(skipped, cursor: cursor)])
    }

    private static func sum(_ left: Int64?, _ right: Int64?) -> Int64? {
        guard let left, let right else { return nil }
        return left + right
    }
}

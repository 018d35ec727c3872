// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What a row knows of one of its dimensions while a batch is being resolved.
struct DimensionRef: BitwiseCopyable, Equatable {
    /// Above 0 an id; 0 none (the column is NULL); below 0 a position in a `MissingList`.
    private let rawValue: Int64

    private init(rawValue: Int64) { self.rawValue = rawValue }

    /// The row has no such dimension.
    static var none: DimensionRef { DimensionRef(rawValue: 0) }

    /// `id` as in the database, or 0 for none.
    init(id: Int64) {
        precondition(id >= 0)
        rawValue = id
    }

    init(missingPosition: Int) { rawValue = -Int64(missingPosition) - 1 }

    /// Where in its `MissingList` the dimension is.
    var missingPosition: Int? { rawValue < 0 ? Int(-(rawValue + 1)) : nil }

    /// The id, or nil for none. Only after everything missing was learned.
    var id: Int64? {
        precondition(rawValue >= 0, "used before it was learned")
        return rawValue == 0 ? nil : rawValue
    }

    /// As `id`, for the dimensions with 32-bit ids.
    var id32: Int32? { id.map { Int32($0) } }
}

/// From the exact bytes of one kind of dimension to its id: what is cached, and what was found
/// missing in this round.
///
/// Thread: confined to one. Memory: bounded by the bounds given.
struct DimensionIndex: ~Copyable {
    /// Bytes of keys of missing dimensions that are remembered. More are found again by their hash.
    private static let pendingKeySizeBytesMax = 1 << 20

    private var known: GenerationalCache
    /// Values are positions in the `MissingList`.
    private var pending: ByteKeyTable

    init(bounds: ByteKeyTable.Bounds, missingCountMax: Int) {
        known = GenerationalCache(bounds: bounds)
        pending = ByteKeyTable(
            bounds: .init(
                entryCountMax: missingCountMax,
                keySizeBytesMax: DimensionIndex.pendingKeySizeBytesMax))
    }

    /// Look-ups since the start, and those that found nothing.
    private(set) var lookUpCount = 0
    private(set) var missCount = 0

    var knownCount: Int { known.count }
    var evictedCount: Int { known.evictedCount }

    /// What is known of `key`, or nil. O(1), no allocation.
    mutating func find(_ key: borrowing CacheKey) -> DimensionRef? {
        lookUpCount += 1
        guard !key.isTooLong else {
            missCount += 1
            return nil
        }
        let bytes = key.bytes
        let hash = ByteKeyTable.hash(bytes)
        if let id = known.find(bytes, hash: hash) { return DimensionRef(id: id) }
        guard pending.count > 0, let number = pending.find(bytes, hash: hash) else {
            missCount += 1
            return nil
        }
        return DimensionRef(missingPosition: Int(pending.value(at: number)))
    }

    /// Remembers that `key` is at `position` of the missing ones.
    mutating func remember(_ key: borrowing CacheKey, missingPosition position: Int) {
        guard !key.isTooLong else { return }
        // At its bounds: the next row with this key finds the position by its hash.
        _ = pending.insert(key.bytes, hash: ByteKeyTable.hash(key.bytes), value: Int64(position))
    }

    /// Moves what was missing into the cache, with the ids that `list` has learned; 0 stays 0.
    mutating func learn<Content>(from list: MissingList<Content>) {
        for number in 0..<pending.count {
            let id = list.entries[Int(pending.value(at: number))].id
            known.insert(pending.key(at: number), hash: pending.hash(at: number), id: id)
        }
        pending.removeAll()
    }

    /// Forgets what was found missing: nobody will say its ids.
    mutating func removePending() { pending.removeAll() }

    /// Forgets everything.
    mutating func removeAll() {
        known.removeAll()
        pending.removeAll()
    }
}

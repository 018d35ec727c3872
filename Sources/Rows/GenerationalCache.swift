// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A bounded cache from runs of bytes to ids that forgets what was not asked for lately.
///
/// Two tables of half the bounds each: new and asked-for entries are in the young one; when that is
/// full, the old one is emptied and becomes the young one. So whatever was used within the last
/// half of a filling survives, at the cost of no bookkeeping per hit. Thread: confined to one.
struct GenerationalCache: ~Copyable {
    private var young: ByteKeyTable
    private var old: ByteKeyTable
    /// Entries of the old generation that are in the young one, too.
    private var promotedCount = 0
    /// Entries thrown away since the start.
    private(set) var evictedCount = 0

    /// - Parameter bounds: of both generations together.
    init(bounds: ByteKeyTable.Bounds) {
        let half = ByteKeyTable.Bounds(
            entryCountMax: max(1, bounds.entryCountMax / 2),
            keySizeBytesMax: max(1, bounds.keySizeBytesMax / 2))
        young = ByteKeyTable(bounds: half)
        old = ByteKeyTable(bounds: half)
    }

    /// Entries held now.
    var count: Int { young.count + old.count - promotedCount }

    /// The id stored for `key`, or nil. O(1).
    mutating func find(_ key: ByteSlice, hash: UInt64) -> Int64? {
        if let number = young.find(key, hash: hash) { return young.value(at: number) }
        guard let number = old.find(key, hash: hash) else { return nil }
        let id = old.value(at: number)
        promotedCount += 1
        insert(key, hash: hash, id: id)
        return id
    }

    /// Stores `id` for a key that is not in the young generation. A key larger than a generation is
    /// not stored.
    mutating func insert(_ key: ByteSlice, hash: UInt64, id: Int64) {
        if young.insert(key, hash: hash, value: id) { return }
        evictedCount += old.count - promotedCount
        promotedCount = 0
        old.removeAll()
        swap(&young, &old)
        _ = young.insert(key, hash: hash, value: id)
    }

    /// Forgets everything: the database behind the ids is another one.
    mutating func removeAll() {
        young.removeAll()
        old.removeAll()
        promotedCount = 0
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A hash table from runs of bytes to integers that only grows, up to bounds given at the start.
///
/// Open addressing over entry numbers; entries lie densely in the order of insertion; the bytes of
/// all keys lie in one slab. No String, no object per key, and no allocation once it has its size.
/// Ownership: owns copies of its keys. Thread: confined to one.
@safe
struct ByteKeyTable: ~Copyable {
    struct Bounds {
        /// Most entries.
        var entryCountMax: Int
        /// Most bytes of keys, all together.
        var keySizeBytesMax: Int
    }

    private struct Entry {
        let hash: UInt64
        let keyOffset: UInt32
        let keyCount: UInt32
        var value: Int64
    }

    /// Most memory per entry that fits, beside its key: capacities are powers of two.
    static let entrySizeBytesMax =
        2 * (MemoryLayout<Entry>.stride + 2 * MemoryLayout<UInt32>.stride)

    private static let entryCountMin = 64
    private static let keySizeBytesMin = 4 << 10

    private let bounds: Bounds
    /// Entry number + 1 by hash, 0 where free. Twice as many as entries fit, a power of two.
    private var slots: UnsafeMutablePointer<UInt32>
    private var slotMask: Int
    private var entries: UnsafeMutablePointer<Entry>
    private var entryCapacity: Int
    private(set) var count = 0
    private var slab: UnsafeMutableRawPointer
    private var slabCapacityBytes: Int
    /// Bytes of all keys.
    private(set) var keySizeBytes = 0

    init(bounds: Bounds) {
        precondition(bounds.entryCountMax > 0 && bounds.keySizeBytesMax > 0)
        precondition(
            bounds.entryCountMax < Int(UInt32.max) && bounds.keySizeBytesMax <= Int(UInt32.max))
        self.bounds = bounds
        entryCapacity = ByteKeyTable.entryCountMin
        slotMask = entryCapacity * 2 - 1
        slabCapacityBytes = ByteKeyTable.keySizeBytesMin
        unsafe slots = .allocate(capacity: slotMask + 1)
        unsafe slots.initialize(repeating: 0, count: slotMask + 1)
        unsafe entries = .allocate(capacity: entryCapacity)
        unsafe slab = .allocate(byteCount: slabCapacityBytes, alignment: 8)
    }

    deinit {
        unsafe slots.deallocate()
        unsafe entries.deallocate()
        unsafe slab.deallocate()
    }

    /// The hash of a key: keyed with a secret of this process, so that clients cannot aim for
    /// collisions.
    @inline(__always)
    static func hash(_ key: ByteSlice) -> UInt64 {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: key.buffer)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// Number of the entry with this key, or nil. `hash` is `ByteKeyTable.hash(key)`. O(1).
    func find(_ key: ByteSlice, hash: UInt64) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while true {
            let number = unsafe Int(slots[slot])
            if number == 0 { return nil }
            let entry = unsafe entries[number - 1]
            if entry.hash == hash, Int(entry.keyCount) == key.count,
                unsafe ByteSlice(base: slab + Int(entry.keyOffset), count: key.count).hasSameBytes(
                    as: key)
            {
                return number - 1
            }
            slot = (slot + 1) & slotMask
        }
    }

    /// Adds a key that is not there yet; returns false, changing nothing, when a bound is reached.
    mutating func insert(_ key: ByteSlice, hash: UInt64, value: Int64) -> Bool {
        guard count < bounds.entryCountMax, key.count <= bounds.keySizeBytesMax - keySizeBytes
        else {
            return false
        }
        if count == entryCapacity { growEntries() }
        if key.count > slabCapacityBytes - keySizeBytes {
            growSlab(neededBytes: keySizeBytes + key.count)
        }
        if let source = unsafe key.base {
            unsafe (slab + keySizeBytes).copyMemory(from: source, byteCount: key.count)
        }
        let entry = Entry(
            hash: hash, keyOffset: UInt32(keySizeBytes), keyCount: UInt32(key.count), value: value)
        unsafe (entries + count).initialize(to: entry)
        place(entryNumber: count, hash: hash)
        keySizeBytes += key.count
        count += 1
        return true
    }

    func value(at entryNumber: Int) -> Int64 {
        precondition(entryNumber >= 0 && entryNumber < count)
        return unsafe entries[entryNumber].value
    }

    func hash(at entryNumber: Int) -> UInt64 {
        precondition(entryNumber >= 0 && entryNumber < count)
        return unsafe entries[entryNumber].hash
    }

    /// The key of an entry; valid until the table changes.
    func key(at entryNumber: Int) -> ByteSlice {
        precondition(entryNumber >= 0 && entryNumber < count)
        let entry = unsafe entries[entryNumber]
        return unsafe ByteSlice(base: slab + Int(entry.keyOffset), count: Int(entry.keyCount))
    }

    /// Forgets all entries, keeps the memory.
    mutating func removeAll() {
        guard count > 0 else { return }
        unsafe slots.update(repeating: 0, count: slotMask + 1)
        count = 0
        keySizeBytes = 0
    }

    private func place(entryNumber: Int, hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while unsafe slots[slot] != 0 { slot = (slot + 1) & slotMask }
        unsafe slots[slot] = UInt32(entryNumber + 1)
    }

    private mutating func growEntries() {
        let capacity = entryCapacity * 2
        let grown = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        unsafe grown.moveInitialize(from: entries, count: count)
        unsafe entries.deallocate()
        unsafe entries = grown
        entryCapacity = capacity

        unsafe slots.deallocate()
        slotMask = capacity * 2 - 1
        unsafe slots = .allocate(capacity: slotMask + 1)
        unsafe slots.initialize(repeating: 0, count: slotMask + 1)
        for number in 0..<count { unsafe place(entryNumber: number, hash: entries[number].hash) }
    }

    private mutating func growSlab(neededBytes: Int) {
        let capacity = min(max(neededBytes, slabCapacityBytes * 2), bounds.keySizeBytesMax)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        unsafe grown.copyMemory(from: slab, byteCount: keySizeBytes)
        unsafe slab.deallocate()
        unsafe slab = grown
        slabCapacityBytes = capacity
    }
}

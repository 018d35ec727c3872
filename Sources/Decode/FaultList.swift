// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The faults of one level, in ascending order of ordinal.
struct FaultList: ~Copyable, Sendable {
    /// One fault: the ordinal above the low 8 bits, the fault in them.
    private typealias Entry = UInt64

    private var entries: OwnedBytes
    private var lastOrdinal = -1

    init(budget: MemoryBudget) { entries = OwnedBytes(budget: budget) }

    var isEmpty: Bool { entries.count == 0 }
    var heldSizeBytes: Int { entries.capacityBytes }
    private var count: Int { entries.count / MemoryLayout<Entry>.stride }

    /// Notes a fault unless `ordinal` has one already; ordinals must not fall.
    ///
    /// Returns false, noting nothing, when the memory budget is spent.
    mutating func note(_ fault: ItemFault, ordinal: Int) -> Bool {
        precondition(ordinal >= lastOrdinal && ordinal >= 0)
        guard ordinal > lastOrdinal else { return true }
        var entry = Entry(ordinal) << 8 | Entry(fault.rawValue)
        let isNoted = unsafe withUnsafeBytes(of: &entry) { bytes in
            unsafe entries.append(ByteSlice(bytes), limitBytes: Int.max)
        }
        if isNoted { lastOrdinal = ordinal }
        return isNoted
    }

    subscript(ordinal: Int) -> ItemFault? {
        guard ordinal <= lastOrdinal else { return nil }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self.ordinal(at: middle) < ordinal { low = middle + 1 } else { high = middle }
        }
        guard low < count, self.ordinal(at: low) == ordinal else { return nil }
        return ItemFault(rawValue: UInt8(truncatingIfNeeded: entry(at: low)))
    }

    private func ordinal(at index: Int) -> Int { Int(entry(at: index) >> 8) }

    private func entry(at index: Int) -> Entry {
        let offset = index * MemoryLayout<Entry>.stride
        return unsafe entries.slice.buffer.loadUnaligned(fromByteOffset: offset, as: Entry.self)
    }
}

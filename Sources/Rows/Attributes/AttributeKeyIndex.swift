// SPDX-License-Identifier: Apache-2.0
package import Base

/// Finds attribute names among a few that are known beforehand. Immutable.
///
/// A hash table over the length and the first and last eight bytes of a name, a quarter full, with
/// the multiplier chosen so that few names share a slot. Senders cannot add to it, so they cannot
/// make it slow.
/// Thread: any. Cost of a look-up: two loads, a multiplication, one slot, and one comparison where
/// the name is known; no allocation.
@safe
package final class AttributeKeyIndex: @unchecked Sendable {
    private struct Slot {
        /// High bits of the hash.
        var tag: UInt32
        /// Position in `keys` + 1; 0 where free.
        var number: UInt32
    }

    private struct Run {
        let offset: Int
        let count: Int
    }

    /// The most names that one index takes.
    package static let keyCountMax = 4_096
    /// Multipliers that are tried; the first that puts every name into a slot of its own wins.
    private static let attemptCountMax = 32

    /// The names, in the order in which they were given.
    package let keys: [String]
    private let slots: UnsafeMutableBufferPointer<Slot>
    private let slotMask: UInt64
    private let multiplier: UInt64
    private let runs: UnsafeMutableBufferPointer<Run>
    private let slab: UnsafeMutableRawBufferPointer

    /// `keys` are different from one another.
    package init(_ keys: [String]) {
        precondition(keys.count <= AttributeKeyIndex.keyCountMax)
        self.keys = keys
        let bytes = keys.map { [UInt8]($0.utf8) }
        unsafe (runs, slab) = AttributeKeyIndex.makeSlab(bytes)
        var slotCount = 16
        while slotCount < keys.count * 4 { slotCount *= 2 }
        slotMask = UInt64(slotCount - 1)
        unsafe slots = .allocate(capacity: slotCount)
        var best = (multiplier: AttributeKeyIndex.multiplier(attempt: 0), collisionCount: Int.max)
        for attempt in 0..<AttributeKeyIndex.attemptCountMax where best.collisionCount > 0 {
            let multiplier = AttributeKeyIndex.multiplier(attempt: attempt)
            let collisionCount = unsafe AttributeKeyIndex.fill(slots, bytes, multiplier)
            if collisionCount < best.collisionCount { best = (multiplier, collisionCount) }
        }
        multiplier = best.multiplier
        _ = unsafe AttributeKeyIndex.fill(slots, bytes, multiplier)
    }

    deinit {
        unsafe slots.deallocate()
        unsafe runs.deallocate()
        unsafe slab.deallocate()
    }

    /// Position in `keys` of `key`, or nil.
    package func find(_ key: ByteSlice) -> Int? {
        let hash = AttributeKeyIndex.hash(key, multiplier)
        let tag = UInt32(truncatingIfNeeded: hash >> 32)
        var position = hash & slotMask
        while true {
            let slot = unsafe slots[Int(position)]
            if slot.number == 0 { return nil }
            if slot.tag == tag, isKey(Int(slot.number - 1), key) {
                return Int(slot.number - 1)
            }
            position = (position &+ 1) & slotMask
        }
    }

    @inline(__always)
    private func isKey(_ number: Int, _ key: ByteSlice) -> Bool {
        let run = unsafe runs[number]
        guard run.count == key.count, run.count > 0 else { return run.count == key.count }
        return unsafe ByteSlice(base: slab.baseAddress! + run.offset, count: run.count)
            .hasSameBytes(as: key)
    }
}

extension AttributeKeyIndex {
    private static func makeSlab(
        _ keys: [[UInt8]]
    ) -> (UnsafeMutableBufferPointer<Run>, UnsafeMutableRawBufferPointer) {
        let runs = UnsafeMutableBufferPointer<Run>.allocate(capacity: keys.count)
        let slab = UnsafeMutableRawBufferPointer.allocate(
            byteCount: keys.reduce(8) { $0 + $1.count }, alignment: 8)
        var offset = 0
        for (number, key) in keys.enumerated() {
            unsafe runs.initializeElement(at: number, to: Run(offset: offset, count: key.count))
            for (index, byte) in key.enumerated() { unsafe slab[offset + index] = byte }
            offset += key.count
        }
        return unsafe (runs, slab)
    }

    /// Odd, and with bits everywhere: multiples of 2^64 divided by the golden ratio.
    private static func multiplier(attempt: Int) -> UInt64 {
        0x9e37_79b9_7f4a_7c15 &* UInt64(2 * attempt + 1) | 1
    }

    /// Fills the slots anew; returns how many names had to go to another slot than their own.
    private static func fill(
        _ slots: UnsafeMutableBufferPointer<Slot>, _ keys: [[UInt8]], _ multiplier: UInt64
    ) -> Int {
        unsafe slots.initialize(repeating: Slot(tag: 0, number: 0))
        let mask = UInt64(slots.count - 1)
        var collisionCount = 0
        for (number, key) in keys.enumerated() {
            let hash = unsafe key.withUnsafeBytes {
                AttributeKeyIndex.hash(unsafe ByteSlice($0), multiplier)
            }
            var position = hash & mask
            while unsafe slots[Int(position)].number != 0 {
                collisionCount += 1
                position = (position &+ 1) & mask
            }
            unsafe slots[Int(position)] = Slot(
                tag: UInt32(truncatingIfNeeded: hash >> 32), number: UInt32(number + 1))
        }
        return collisionCount
    }

    @inline(__always)
    private static func hash(_ key: ByteSlice, _ multiplier: UInt64) -> UInt64 {
        let count = key.count
        guard count > 0 else { return multiplier }
        let base = unsafe key.base.unsafelyUnwrapped
        let first: UInt64
        let last: UInt64
        if count >= 8 {
            first = unsafe base.loadUnaligned(as: UInt64.self)
            last = unsafe base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else if count >= 4 {
            first = unsafe UInt64(base.loadUnaligned(as: UInt32.self))
            last = unsafe UInt64(base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        } else {
            first = unsafe UInt64(base.load(as: UInt8.self))
            let middle = unsafe UInt64(base.load(fromByteOffset: count / 2, as: UInt8.self))
            last = unsafe UInt64(base.load(fromByteOffset: count - 1, as: UInt8.self)) << 8 | middle
        }
        var hash = (first ^ UInt64(truncatingIfNeeded: count)) &* multiplier
        hash = (hash ^ (hash >> 29) ^ last) &* multiplier
        return hash ^ (hash >> 32)
    }
}

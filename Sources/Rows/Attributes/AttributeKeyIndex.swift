// SPDX-License-Identifier: Apache-2.0
package import Base

/// Finds attribute names among a few that are known beforehand. Immutable.
///
/// A hash table over the length and the first and last eight bytes of a name, at most a quarter
/// full, with the multiplier chosen so that few names share a slot. Slots hold those bytes, so that
/// names of up to 16 bytes are compared by them alone. Senders cannot add to the table, so they
/// cannot make it slow.
/// Thread: any. Cost of a look-up: 4 ns where the name is known, less where it is not; no
/// allocation.
@safe
package final class AttributeKeyIndex: @unchecked Sendable {
    /// What a name is told apart by, at first.
    private struct Ends: Equatable, BitwiseCopyable {
        let first: UInt64
        let last: UInt64
        let count: Int
    }

    private struct Slot: BitwiseCopyable {
        var first: UInt64 = 0
        var last: UInt64 = 0
        /// Bytes of the name.
        var count: UInt32 = 0
        /// Position in `keys` + 1; 0 where free.
        var number: UInt32 = 0
        /// The name itself, in `slab`.
        var offset: UInt32 = 0
    }

    /// The most names that one index takes.
    package static let keyCountMax = 4_096
    /// The longest name that one index takes.
    package static let keySizeBytesMax = 1 << 16
    /// Multipliers that are tried; the first that puts every name into a slot of its own wins.
    private static let attemptCountMax = 64
    private static let wordSizeBytes = 8

    /// The names, in the order in which they were given.
    package let keys: [String]
    private let slots: UnsafeMutablePointer<Slot>
    private let slotMask: UInt64
    /// What makes a slot of the high bits of a hash.
    private let shift: UInt64
    private let multiplier: UInt64
    private let slab: UnsafeMutableRawPointer

    /// `keys` are different from one another.
    package init(_ keys: [String]) {
        precondition(keys.count <= AttributeKeyIndex.keyCountMax)
        self.keys = keys
        let bytes = keys.map { [UInt8]($0.utf8) }
        precondition(bytes.allSatisfy { $0.count <= AttributeKeyIndex.keySizeBytesMax })
        var slotCount = 16
        while slotCount < keys.count * 4 { slotCount *= 2 }
        slotMask = UInt64(slotCount - 1)
        let shift = UInt64(64 - slotCount.trailingZeroBitCount)
        let slots = UnsafeMutablePointer<Slot>.allocate(capacity: slotCount)
        let (slab, names) = unsafe AttributeKeyIndex.makeSlab(bytes)
        var best = (multiplier: AttributeKeyIndex.multiplier(attempt: 0), collisionCount: Int.max)
        for attempt in 0..<AttributeKeyIndex.attemptCountMax where best.collisionCount > 0 {
            let multiplier = AttributeKeyIndex.multiplier(attempt: attempt)
            let collisionCount = unsafe AttributeKeyIndex.fill(
                slots, slotCount: slotCount, shift: shift, names, multiplier)
            if collisionCount < best.collisionCount { best = (multiplier, collisionCount) }
        }
        multiplier = best.multiplier
        _ = unsafe AttributeKeyIndex.fill(
            slots, slotCount: slotCount, shift: shift, names, multiplier)
        self.shift = shift
        unsafe self.slots = slots
        unsafe self.slab = slab
    }

    deinit {
        unsafe slots.deallocate()
        unsafe slab.deallocate()
    }

    /// Position in `keys` of `key`, or nil.
    package func find(_ key: ByteSlice) -> Int? {
        let ends = AttributeKeyIndex.ends(of: key)
        var position = AttributeKeyIndex.hash(ends, multiplier) >> shift
        while true {
            let slot = unsafe slots + Int(truncatingIfNeeded: position)
            let number = unsafe slot.pointee.number
            if number == 0 { return nil }
            if unsafe slot.pointee.first == ends.first, unsafe slot.pointee.last == ends.last,
                unsafe Int(slot.pointee.count) == ends.count,
                unsafe ends.count <= 2 * AttributeKeyIndex.wordSizeBytes
                    || hasSameMiddle(key, offset: Int(slot.pointee.offset))
            {
                return Int(number) - 1
            }
            position = (position &+ 1) & slotMask
        }
    }

    /// Whether the name at `offset` of the slab, of the same length, has the same bytes between its
    /// first and last words as `key`, word by word, the last of which may reach into the last.
    @inline(__always)
    private func hasSameMiddle(_ key: ByteSlice, offset: Int) -> Bool {
        let left = unsafe key.base.unsafelyUnwrapped
        let right = unsafe UnsafeRawPointer(slab) + offset
        let step = AttributeKeyIndex.wordSizeBytes
        var index = step
        while index < key.count - step {
            let word = unsafe left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if unsafe word != right.loadUnaligned(fromByteOffset: index, as: UInt64.self) {
                return false
            }
            index += step
        }
        return true
    }
}

extension AttributeKeyIndex {
    /// All names one after the other, with where each lies.
    private static func makeSlab(
        _ keys: [[UInt8]]
    ) -> (UnsafeMutableRawPointer, [(ends: Ends, offset: Int)]) {
        let slab = UnsafeMutableRawPointer.allocate(
            byteCount: keys.reduce(wordSizeBytes) { $0 + $1.count }, alignment: wordSizeBytes)
        var names: [(ends: Ends, offset: Int)] = []
        var offset = 0
        for key in keys {
            let ends = unsafe key.withUnsafeBytes { buffer in
                if let base = buffer.baseAddress {
                    unsafe (slab + offset).copyMemory(from: base, byteCount: key.count)
                }
                return AttributeKeyIndex.ends(of: unsafe ByteSlice(buffer))
            }
            names.append((ends, offset))
            offset += key.count
        }
        return unsafe (slab, names)
    }

    /// Odd, and with bits everywhere: multiples of 2^64 divided by the golden ratio.
    private static func multiplier(attempt: Int) -> UInt64 {
        0x9e37_79b9_7f4a_7c15 &* UInt64(2 * attempt + 1) | 1
    }

    /// Fills the slots anew; returns how many names had to go to another slot than their own.
    private static func fill(
        _ slots: UnsafeMutablePointer<Slot>, slotCount: Int, shift: UInt64,
        _ names: [(ends: Ends, offset: Int)], _ multiplier: UInt64
    ) -> Int {
        unsafe slots.initialize(repeating: Slot(), count: slotCount)
        var collisionCount = 0
        for (number, name) in names.enumerated() {
            var position = Int(hash(name.ends, multiplier) >> shift)
            while unsafe slots[position].number != 0 {
                collisionCount += 1
                position = (position + 1) & (slotCount - 1)
            }
            unsafe slots[position] = Slot(
                first: name.ends.first, last: name.ends.last, count: UInt32(name.ends.count),
                number: UInt32(number + 1), offset: UInt32(name.offset))
        }
        return collisionCount
    }

    /// Up to 16 bytes, these are all of them.
    @inline(__always)
    private static func ends(of key: ByteSlice) -> Ends {
        let count = key.count
        guard count > 0 else { return Ends(first: 0, last: 0, count: 0) }
        let base = unsafe key.base.unsafelyUnwrapped
        if count >= wordSizeBytes {
            return unsafe Ends(
                first: base.loadUnaligned(as: UInt64.self),
                last: base.loadUnaligned(fromByteOffset: count - wordSizeBytes, as: UInt64.self),
                count: count)
        }
        if count >= 4 {
            return unsafe Ends(
                first: UInt64(base.loadUnaligned(as: UInt32.self)),
                last: UInt64(base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)),
                count: count)
        }
        let middle = unsafe UInt64(base.load(fromByteOffset: count / 2, as: UInt8.self))
        return unsafe Ends(
            first: UInt64(base.load(as: UInt8.self)),
            last: UInt64(base.load(fromByteOffset: count - 1, as: UInt8.self)) << 8 | middle,
            count: count)
    }

    /// Good in its high bits.
    @inline(__always)
    private static func hash(_ ends: Ends, _ multiplier: UInt64) -> UInt64 {
        let last = ends.last << 23 | ends.last >> 41
        let mixed = (ends.first ^ last) &+ UInt64(truncatingIfNeeded: ends.count)
        return (mixed ^ mixed >> 32) &* multiplier
    }
}

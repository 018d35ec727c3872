// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Keeps the memory of large arenas that are gone, for those to come.
///
/// An export of 512 spans takes about 1.5 MB, allocated by one thread and freed by another; given
/// back to the system each time, its pages are faulted in and cleared anew for every request
/// (measured: a ninth of the daemon's CPU). Thread: any. Bounded by `idleSizeBytesMax`, beside the
/// memory budget.
@usableFromInline
package final class ArenaPool: Sendable {
    /// Blocks come in multiples of this; what is smaller is malloc's.
    package static let granuleBytes = 64 << 10
    /// Larger blocks are rare and not kept.
    static let blockSizeBytesMax = 4 << 20
    /// Memory that may wait here.
    package static let idleSizeBytesMax = 16 << 20

    /// A block nobody uses. Its owner is the list it is in.
    @safe
    private struct Block: @unchecked Sendable {
        let storage: UnsafeMutableRawBufferPointer
    }

    private struct Idle: Sendable {
        var blocks: [Block] = []
        var sizeBytes = 0
        /// The fewest blocks that waited at any time since the last look: those at the front have
        /// not been taken.
        var restingCount = 0
    }

    private let idle = Mutex(Idle())

    package init() {}

    deinit {
        idle.withLock { idle in
            for block in idle.blocks { unsafe block.storage.deallocate() }
        }
    }

    /// Bytes that wait here.
    package var waitingSizeBytes: Int { idle.withLock { $0.sizeBytes } }

    /// The bytes that an arena of `sizeBytes` really takes: reserve these.
    package static func capacityBytes(sizeBytes: Int) -> Int {
        guard sizeBytes >= granuleBytes else { return sizeBytes }
        return (sizeBytes + granuleBytes - 1) / granuleBytes * granuleBytes
    }

    /// A block of exactly `capacityBytes`: one that waits, else a new one.
    func take(capacityBytes: Int) -> UnsafeMutableRawBufferPointer {
        let found = idle.withLock { idle -> Block? in
            guard
                let index = idle.blocks.lastIndex(where: {
                    unsafe $0.storage.count == capacityBytes
                })
            else { return nil }
            idle.sizeBytes -= capacityBytes
            let block = idle.blocks.remove(at: index)
            idle.restingCount = min(idle.restingCount, index)
            return block
        }
        if let found { return unsafe found.storage }
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: capacityBytes, alignment: Arena.alignmentBytes)
        unsafe ProcessMemory.useLargePages(for: block)
        return unsafe block
    }

    /// Frees what has waited since the last call: a burst is over, its memory is not needed.
    package func giveBackResting() {
        let resting = idle.withLock { idle -> [Block] in
            let resting = Array(idle.blocks.prefix(idle.restingCount))
            idle.blocks.removeFirst(resting.count)
            idle.sizeBytes -= resting.reduce(0) { unsafe $0 + $1.storage.count }
            idle.restingCount = idle.blocks.count
            return resting
        }
        for block in resting { unsafe block.storage.deallocate() }
    }

    /// Takes a block back, or frees it where it would be too many.
    func give(_ storage: UnsafeMutableRawBufferPointer) {
        let block = unsafe Block(storage: storage)
        let sizeBytes = storage.count
        let isKept =
            sizeBytes >= ArenaPool.granuleBytes && sizeBytes <= ArenaPool.blockSizeBytesMax
            && idle.withLock { idle in
                guard idle.sizeBytes + sizeBytes <= ArenaPool.idleSizeBytesMax else { return false }
                idle.blocks.append(block)
                idle.sizeBytes += sizeBytes
                return true
            }
        if !isKept { unsafe storage.deallocate() }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: slabs that protobuf-c frees are used again, nothing else is, and no more memory is taken
// than without that. Method: what the allocator is asked for, one after the other.
@Suite struct UnpackMemoryTests {
    private let model = WireGrammar.shared.unpackModel

    /// Runs `body` on an arena of 1 MiB.
    private func withMemory(_ body: (inout UnpackMemory) -> Void) -> Int {
        var arena = Arena(sizeBytes: 1 << 20)
        unsafe withUnsafeMutablePointer(to: &arena) { arena in
            var memory = unsafe UnpackMemory(arena, model: model)
            body(&memory)
        }
        return arena.usedSizeBytes
    }

    @Test func aFreedSlabIsUsedAgain() {
        let sizeBytes = model.slabSizeBytesMin
        for factor in [1, 2, 8] {
            let usedSizeBytes = withMemory { memory in
                let first = unsafe memory.allocate(sizeBytes * factor)
                for _ in 0..<100 {
                    unsafe memory.free(first)
                    let next = unsafe memory.allocate(sizeBytes * factor)
                    let isSame = unsafe next == first
                    #expect(isSame)
                }
                #expect(memory.reusedSizeBytes == 100 * sizeBytes * factor)
            }
            #expect(usedSizeBytes == sizeBytes * factor)
        }
    }

    @Test func whatIsInUseIsNotHandedOut() {
        let sizeBytes = model.slabSizeBytesMin
        _ = withMemory { memory in
            let outer = unsafe memory.allocate(sizeBytes)
            let inner = unsafe memory.allocate(sizeBytes)
            let larger = unsafe memory.allocate(2 * sizeBytes)
            unsafe memory.free(inner)
            let again = unsafe memory.allocate(sizeBytes)
            let another = unsafe memory.allocate(sizeBytes)
            let isReused = unsafe again == inner
            #expect(isReused)
            let areDistinct = unsafe Set([outer, again, larger, another]).count == 4
            #expect(areDistinct)
        }
    }

    @Test func onlySizesOfSlabsAreKept() {
        let sizeBytes = model.slabSizeBytesMin
        for other in [16, sizeBytes - 16, sizeBytes + 16, 3 * sizeBytes, sizeBytes << 8] {
            _ = withMemory { memory in
                let first = unsafe memory.allocate(other)
                unsafe memory.free(first)
                let next = unsafe memory.allocate(other)
                let isSame = unsafe next == first
                #expect(!isSame, "\(other)")
                #expect(memory.reusedSizeBytes == 0)
            }
        }
    }

    /// Attributes of that size, say, which stay in use: there is a limit to what is remembered.
    @Test func manyInUseAreNotMistaken() {
        let sizeBytes = model.slabSizeBytesMin
        _ = withMemory { memory in
            var inUse: [UnsafeMutableRawPointer?] = unsafe []
            for _ in 0..<100 {
                let address = unsafe memory.allocate(sizeBytes)
                let isNew = unsafe !inUse.contains(address)
                #expect(isNew)
                unsafe inUse.append(address)
            }
            for index in 0..<100 { unsafe memory.free(inUse[index]) }
            unsafe memory.free(nil)
            // Of those that were remembered the last one freed is used again, once.
            for _ in 0..<2 { _ = unsafe memory.allocate(sizeBytes) }
            #expect(memory.reusedSizeBytes == sizeBytes)
        }
    }
}

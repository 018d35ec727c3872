// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

import struct OTLPFixtures.Walk

@testable import Decode

// Goal: whatever the pre-scan accepts, protobuf-c unpacks, into exactly the arena that was
// predicted, and the views can be read; whatever arrives, nothing crashes. Method: valid random
// requests; the same with damage; and noise. Everything has a seed. Run it with `--sanitize
// address` for the rest of the truth.

/// Decodes and checks what must hold for any bytes. Returns whether they were accepted.
private func check(_ bytes: [UInt8], _ signal: Signal, _ seed: UInt64) -> Bool {
    do throws(DecodeError) {
        let export = try decode(bytes, signal)
        let walk = Walk(export)
        let isExact = UnpackModel.rounded(export.usedSizeBytes) == export.arenaSizeBytes
        #expect(isExact, "\(signal) \(seed): \(export.usedSizeBytes) of \(export.arenaSizeBytes)")
        // A value of a oneof that a later one replaced was scanned, but cannot be seen; items have
        // no such place.
        #expect(walk.itemCount == export.itemCount, "\(signal) \(seed)")
        return true
    } catch {
        guard case .refused(let refusal) = error else {
            Issue.record("\(signal) \(seed): \(error)")
            return false
        }
        #expect(refusal.message != Decoder.unexpectedRefusal.message, "\(signal) \(seed)")
        return false
    }
}

@Test(arguments: Signal.allCases)
func randomRequestsUnpackIntoExactlyThePredictedArena(signal: Signal) {
    for seed in 0..<UInt64(1_000) {
        var request = RandomRequest(seed: seed)
        #expect(check(request.bytes(signal), signal, seed), "\(signal) \(seed) was refused")
    }
}

@Test(arguments: Signal.allCases)
func damagedRequests(signal: Signal) {
    let valid = (0..<UInt64(250)).map { seed in
        var request = RandomRequest(seed: seed + 1_000_000)
        return request.bytes(signal)
    }
    var acceptedCount = 0
    for seed in 0..<UInt64(20_000) {
        var bytes = valid[Int(seed) % valid.count]
        var generator = SeededGenerator(seed: seed &* 3 &+ 1)
        for _ in 0..<Int.random(in: 1...3, using: &generator) { damage(&bytes, &generator) }
        if check(bytes, signal, seed) { acceptedCount += 1 }
    }
    // Both verdicts must occur often, or the test tests nothing.
    #expect((2_000...18_000).contains(acceptedCount))
}

private func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    guard let position = bytes.indices.randomElement(using: &generator) else { return }
    let byte = UInt8(truncatingIfNeeded: generator.next())
    switch generator.next() % 6 {
    case 0: bytes[position] = byte
    case 1: bytes[position] ^= 1 << (byte & 7)
    case 2: bytes.insert(byte, at: position)
    case 3: bytes.remove(at: position)
    case 4: bytes.removeSubrange(position...)
    default:
        let end = min(bytes.count, position + Int(byte % 32))
        bytes.insert(contentsOf: bytes[position..<end], at: position)
    }
}

@Test(arguments: Signal.allCases)
func noise(signal: Signal) {
    var generator = SeededGenerator(seed: 42)
    for seed in 0..<UInt64(20_000) {
        // Small bytes are tags, wire types and lengths more often than others.
        let isSmall = generator.oneIn(2)
        let bytes = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
            UInt8(truncatingIfNeeded: generator.next()) & (isSmall ? 0x1F : 0xFF)
        }
        _ = check(bytes, signal, seed)
    }
}

// Goal: the slabs of scanned members are predicted. Method: the edges at which protobuf-c takes
// another one, of fields that cost nothing else.
@Test(arguments: [0, 1, 15, 16, 17, 47, 48, 49, 50, 111, 112, 113, 239, 240, 241, 5_000])
func slabsOfMembers(count: Int) throws {
    let bytes = request { $0.message(2) { span in for _ in 0..<count { span.number(6, 1) } } }
    #expect(check(bytes, .traces, UInt64(count)))
    let model = WireGrammar.shared.unpackModel
    let withoutSizeBytes = try decode(request { $0.message(2) }).arenaSizeBytes
    let sizeBytes = try decode(bytes).arenaSizeBytes
    #expect(sizeBytes - withoutSizeBytes == model.slabSizeBytes(memberCount: count))
}

// Goal: arrays are predicted, each rounded up alone. Method: all small counts of three repeated
// fields.
@Test func arraysOfRepeatedFields() {
    for attributes in 0...4 {
        for events in 0...4 {
            for links in 0...4 {
                let bytes = request {
                    $0.message(2) { span in
                        for _ in 0..<attributes { span.message(9) }
                        for _ in 0..<events { span.message(11) }
                        for _ in 0..<links { span.message(13) }
                    }
                }
                #expect(check(bytes, .traces, 0))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: the short cut for attributes cannot be told from the general scan. Method: each attribute
// in the order that the short cut expects, and with the value before the key, which it does not
// take.

/// What a request with one attribute comes to: its predicted size and whether it has a fault, or
/// why it is refused.
private struct Verdict: Equatable {
    var sizeBytes = 0
    /// Which one depends on the order, as the first one is kept.
    var hasFault = false
    var refusal: Refusal.Code?

    init(pair: [UInt8], depthMax: Int) {
        var limits = DecodeLimits.forTests
        limits.anyValueDepthMax = depthMax
        do throws(DecodeError) {
            let export = try decode(request { $0.message(2) { $0.bytes(9, pair) } }, limits: limits)
            sizeBytes = export.arenaSizeBytes
            hasFault = export.faults.itemFault(0) != nil
        } catch {
            guard case .refused(let refusal) = error else { return }
            #expect(refusal != Decoder.unexpectedRefusal)
            self.refusal = refusal.code
        }
    }
}

private let values: [[UInt8]] = [
    [], [0x0A], [0x0A, 0x00], [0x0A, 0x01], [0x0A, 0x01, 0x61], [0x0A, 0x01, 0xFF],
    [0x0A, 0x01, 0x00],
    [0x0A, 0x01, 0x61, 0x62], [0x0A, 0x02, 0x61], [0x0A, 0x81, 0x00, 0x61], [0x0A, 0x80, 0x00],
    [0x10], [0x10, 0x01], [0x10, 0x80], [0x10, 0x80, 0x00], [0x10, 0x01, 0x10, 0x00],
    [0x10, 0x01, 0x00],
    [0x18, 0x7F], [0x18, 0x80, 0x7F], [0x18] + [UInt8](repeating: 0xFF, count: 9) + [0x01],
    [0x18] + [UInt8](repeating: 0xFF, count: 10) + [0x01],
    [0x21] + [UInt8](repeating: 0, count: 7), [0x21] + [UInt8](repeating: 0, count: 8),
    [0x21] + [UInt8](repeating: 0, count: 9), [0x2A, 0x00], [0x32, 0x00], [0x3A, 0x00],
    [0x3A, 0x01, 0xFF],
    [0x40, 0x01], [0x48, 0x01], [0x11, 0x00], [0x0D, 0x00, 0x00, 0x00, 0x00], [0x12, 0x00],
    [0x00, 0x00],
    [0x8A, 0x00, 0x00], [0x0A, 0x00, 0x0A, 0x00],
]

@Test(arguments: values.indices)
func shortCutAgreesWithTheGeneralScan(index: Int) {
    let value = values[index]
    for key in [[], [0x6B], [0xFF], [0x00], [UInt8](repeating: 0x6B, count: 20)] {
        for depthMax in [0, 1, 2] {
            let usual = WireWriter {
                $0.bytes(1, key)
                $0.bytes(2, value)
            }
            let unusual = WireWriter {
                $0.bytes(2, value)
                $0.bytes(1, key)
            }
            #expect(
                Verdict(pair: usual.bytes, depthMax: depthMax)
                    == Verdict(pair: unusual.bytes, depthMax: depthMax), "\(key)")
        }
    }
}

// Goal: lengths of one byte only are taken by the short cut. Method: keys and values around 128
// bytes, valid; and with the length that a parser without continuation bits would take for right,
// which is not.
@Test(arguments: Array(120...140) + [200, 254, 255, 256, 300])
func lengthsAroundOneByte(count: Int) {
    let content = [UInt8](repeating: 0x61, count: count)
    let longKey = WireWriter { $0.bytes(1, content) }.bytes
    let longValue = WireWriter {
        $0.text(1, "k")
        $0.message(2) { $0.bytes(1, content) }
    }.bytes
    for pair in [longKey, longValue] {
        #expect(Verdict(pair: pair, depthMax: 64).refusal == nil)
    }
    guard (128...255).contains(count) else { return }
    let wrongKey = [0x0A, UInt8(count)] + content + [0x12, 0x02, 0x10, 0x01]
    let wrongValue =
        [0x0A, 0x01, 0x6B, 0x12, UInt8(count), 0x0A, UInt8(count - 2)] + content.dropLast(2)
    for pair in [wrongKey, wrongValue] {
        #expect(Verdict(pair: pair, depthMax: 64).refusal == .invalidArgument)
    }
}

// Goal: the short cut never reads beyond a pair. Method: every prefix of pairs of all shapes, as
// the last bytes of the request; a sanitizer sees the rest.
@Test func prefixesOfPairs() {
    for value in values {
        let pair = WireWriter {
            $0.text(1, "key")
            $0.bytes(2, value)
        }.bytes
        for count in 0...pair.count {
            let prefix = Array(pair.prefix(count))
            let isValid = Verdict(pair: prefix, depthMax: 64).refusal == nil
            if count == 0 || count == 5 { #expect(isValid) }
        }
    }
}

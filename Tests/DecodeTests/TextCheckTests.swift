// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: exactly the text that PostgreSQL can store passes. Method: the edges of Unicode's table
// 3-7, at each offset within and across the words that are checked 8 bytes at a time.

private let sequences: [(bytes: [UInt8], fault: ItemFault?)] = [
    ([], nil),
    ([0x00], .nulInText), ([0x01], nil), ([0x7F], nil),
    ([0x80], .invalidUTF8), ([0xBF], .invalidUTF8), ([0xC0, 0x80], .invalidUTF8),
    ([0xC1, 0xBF], .invalidUTF8), ([0xC2, 0x80], nil), ([0xDF, 0xBF], nil),
    ([0xC2], .invalidUTF8), ([0xC2, 0x7F], .invalidUTF8), ([0xC2, 0xC0], .invalidUTF8),
    ([0xE0, 0x9F, 0xBF], .invalidUTF8), ([0xE0, 0xA0, 0x80], nil), ([0xE0, 0xA0], .invalidUTF8),
    ([0xE1, 0x80, 0x80], nil), ([0xE1, 0x80, 0x7F], .invalidUTF8),
    ([0xE1, 0x80, 0xC0], .invalidUTF8),
    ([0xEC, 0xBF, 0xBF], nil), ([0xED, 0x9F, 0xBF], nil), ([0xED, 0xA0, 0x80], .invalidUTF8),
    ([0xED, 0xBF, 0xBF], .invalidUTF8), ([0xEE, 0x80, 0x80], nil), ([0xEF, 0xBF, 0xBF], nil),
    ([0xF0, 0x8F, 0xBF, 0xBF], .invalidUTF8), ([0xF0, 0x90, 0x80, 0x80], nil),
    ([0xF0, 0x90, 0x80], .invalidUTF8), ([0xF3, 0xBF, 0xBF, 0xBF], nil),
    ([0xF4, 0x8F, 0xBF, 0xBF], nil), ([0xF4, 0x90, 0x80, 0x80], .invalidUTF8),
    ([0xF5, 0x80, 0x80, 0x80], .invalidUTF8), ([0xFF], .invalidUTF8), ([0xFE], .invalidUTF8),
    ([0xF0, 0x90, 0x80, 0x7F], .invalidUTF8), ([0xC2, 0x80, 0x80], .invalidUTF8),
]

/// The verdict by the two steps that the scan takes.
private func verdict(_ bytes: [UInt8], readableBeyond: Int) -> ItemFault? {
    let padded = bytes + [UInt8](repeating: 0xFF, count: readableBeyond)
    return unsafe padded.withUnsafeBytes { buffer in
        guard let base = buffer.baseAddress else { return nil }
        let isPlain = unsafe TextCheck.isPlain(
            base, count: bytes.count, readableEnd: base + buffer.count)
        let text = unsafe UnsafeRawBufferPointer(start: base, count: bytes.count)
        let fault = unsafe TextCheck.fault(in: text)
        // The quick answer may only be given for what the thorough one accepts.
        if isPlain { #expect(fault == nil) }
        return isPlain ? nil : fault
    }
}

@Test(arguments: sequences.indices)
func utf8Sequences(index: Int) {
    let (sequence, fault) = sequences[index]
    for before in 0...17 {
        for after in [0, 1, 7, 8, 9] {
            let bytes =
                [UInt8](repeating: 0x61, count: before) + sequence
                + [UInt8](repeating: 0x62, count: after)
            // A sequence that is only cut off by the end is broken by what follows as well.
            for readableBeyond in [0, 3, 8] {
                #expect(
                    verdict(bytes, readableBeyond: readableBeyond) == fault,
                    "\(before) before, \(after) after, \(readableBeyond) readable")
            }
        }
    }
}

@Test func plainTextOfEveryLengthIsPlain() {
    for count in 0...40 {
        let bytes = (0..<count).map { UInt8($0 % 127 + 1) }
        for readableBeyond in [0, 1, 8] {
            let isPlain = unsafe (bytes + [UInt8](repeating: 0, count: readableBeyond))
                .withUnsafeBytes { buffer in
                    guard let base = buffer.baseAddress else { return true }
                    return unsafe TextCheck.isPlain(
                        base, count: count, readableEnd: base + buffer.count)
                }
            #expect(isPlain)
        }
    }
}

// Goal: the first fault is the one that is named.
@Test func firstFaultIsNamed() {
    #expect(verdict([0x61, 0x00, 0xFF], readableBeyond: 0) == .nulInText)
    #expect(verdict([0x61, 0xFF, 0x00], readableBeyond: 0) == .invalidUTF8)
}

// Goal: agreement with an independent decoder. Method: all strings of 1...3 bytes over the bytes at
// which the rules change, against the standard library.
@Test func agreesWithTheStandardLibrary() {
    let edges: [UInt8] = [
        0x01, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
        0xED, 0xEE,
        0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    for first in edges {
        for second in edges {
            for third in edges {
                let bytes = [first, second, third, 0x80]
                for count in 1...4 {
                    let prefix = Array(bytes.prefix(count))
                    let isValid = String(validating: prefix, as: UTF8.self) != nil
                    #expect((verdict(prefix, readableBeyond: 0) == nil) == isValid, "\(prefix)")
                }
            }
        }
    }
}

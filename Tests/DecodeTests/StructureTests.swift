// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: bytes that are not a well-formed message are refused, with what is wrong and where.
// Method: both sides of each rule, at the top level unless the rule needs a known field.

private struct WireCase: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    /// Nil when the bytes are valid.
    let fault: WireFault?
    var offset = 0
    var testDescription: String { name }
}

private let tenByteVarint = [UInt8](repeating: 0xFF, count: 9) + [0x01]

private let wireCases: [WireCase] = [
    WireCase(name: "empty request", bytes: [], fault: nil),
    WireCase(name: "unknown varint", bytes: [0x18, 0x01], fault: nil),
    WireCase(name: "unknown varint of 10 bytes", bytes: [0x18] + tenByteVarint, fault: nil),
    WireCase(
        name: "unknown varint of 11 bytes", bytes: [0x18, 0xFF] + tenByteVarint, fault: .varint,
        offset: 1),
    WireCase(name: "varint cut off", bytes: [0x18, 0x80], fault: .varint, offset: 1),
    WireCase(name: "varint missing", bytes: [0x18], fault: .varint, offset: 1),
    WireCase(name: "unknown fixed64", bytes: [0x19] + [UInt8](repeating: 1, count: 8), fault: nil),
    WireCase(
        name: "fixed64 cut off", bytes: [0x19] + [UInt8](repeating: 1, count: 7),
        fault: .fixedBeyondEnd,
        offset: 1),
    WireCase(name: "unknown fixed32", bytes: [0x1D, 1, 2, 3, 4], fault: nil),
    WireCase(name: "fixed32 cut off", bytes: [0x1D, 1, 2, 3], fault: .fixedBeyondEnd, offset: 1),
    WireCase(name: "unknown bytes", bytes: [0x1A, 0x02, 0xFF, 0x00], fault: nil),
    WireCase(name: "unknown bytes of length 0", bytes: [0x1A, 0x00], fault: nil),
    WireCase(name: "length missing", bytes: [0x1A], fault: .length, offset: 1),
    WireCase(name: "length cut off", bytes: [0x1A, 0x80], fault: .length, offset: 1),
    WireCase(
        name: "length one too many", bytes: [0x1A, 0x02, 0x01], fault: .lengthBeyondEnd, offset: 1),
    WireCase(
        name: "length of 4 GiB", bytes: [0x1A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        fault: .lengthBeyondEnd, offset: 1),
    WireCase(
        name: "length of 33 bits", bytes: [0x1A, 0x80, 0x80, 0x80, 0x80, 0x10], fault: .length,
        offset: 1),
    WireCase(
        name: "length of 6 bytes", bytes: [0x1A, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00],
        fault: .length,
        offset: 1),
    WireCase(
        name: "length of 5 bytes, padded", bytes: [0x1A, 0x81, 0x80, 0x80, 0x80, 0x00, 0x77],
        fault: nil),
    WireCase(name: "length of 2 bytes, padded", bytes: [0x1A, 0x81, 0x00, 0x77], fault: nil),
    WireCase(name: "start of group", bytes: [0x1B, 0x1C], fault: .group, offset: 1),
    WireCase(name: "end of group", bytes: [0x1C], fault: .group, offset: 1),
    WireCase(name: "wire type 6", bytes: [0x1E, 0x00], fault: .group, offset: 1),
    WireCase(name: "wire type 7", bytes: [0x1F, 0x00], fault: .group, offset: 1),
    WireCase(name: "field number 0", bytes: [0x00, 0x00], fault: .tag),
    WireCase(name: "field number 0, padded", bytes: [0x80, 0x00, 0x00], fault: .tag),
    WireCase(name: "field number 0, bytes", bytes: [0x02, 0x00], fault: .tag),
    WireCase(name: "tag cut off", bytes: [0x80], fault: .tag),
    WireCase(name: "known tag, padded to 2 bytes", bytes: [0x8A, 0x00, 0x00], fault: nil),
    WireCase(
        name: "largest field number", bytes: [0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 0x01], fault: nil),
    WireCase(name: "tag of 33 bits", bytes: [0xF8, 0xFF, 0xFF, 0xFF, 0x1F, 0x01], fault: .tag),
    WireCase(
        name: "tag of 6 bytes", bytes: [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01], fault: .tag),
    WireCase(name: "known message as varint", bytes: [0x08, 0x01], fault: .wireType, offset: 1),
    WireCase(
        name: "field of a sub-message beyond its end", bytes: [0x0A, 0x02, 0x0A, 0x01, 0x00],
        fault: .lengthBeyondEnd, offset: 3),
    WireCase(
        name: "tag as last byte of a sub-message", bytes: [0x0A, 0x01, 0x0A, 0x00], fault: .length,
        offset: 3),
]

@Test(arguments: wireCases)
private func wireStructure(_ wireCase: WireCase) {
    let expected = wireCase.fault.map {
        "not a valid OTLP message: \($0.rawValue) at byte \(wireCase.offset)"
    }
    for signal in Signal.allCases {
        #expect(refusalMessage(wireCase.bytes, signal) == expected)
    }
}

@Test func refusalsOfMalformedBytesAreInvalidArguments() {
    #expect(result([0x00]) == .refused(.invalidArgument))
}

@Test func emptyEnvelopesDecodeToNoItems() {
    for signal in Signal.allCases {
        #expect(result([], signal) == .decoded(itemCount: 0))
        #expect(result([0x0A, 0x00], signal) == .decoded(itemCount: 0))
        #expect(result([0x0A, 0x02, 0x12, 0x00, 0x0A, 0x00], signal) == .decoded(itemCount: 0))
    }
}

// Goal: a prefix of a valid request is refused or valid, never a crash; the whole is valid.
@Test func everyPrefixOfARequestIsHandled() {
    let bytes = request { scope in
        scope.span { span in
            span.attribute(9)
            span.attribute(9, "n") { $0.number(3, 300) }
            span.message(11) { $0.text(2, "event") }
            span.fixed32(16, 0x101)
        }
    }
    #expect(result(bytes) == .decoded(itemCount: 1))
    for count in 1..<bytes.count {
        #expect(result(Array(bytes.prefix(count))) == .refused(.invalidArgument), "prefix \(count)")
    }
}

// Goal: a length prefix beyond the end neither allocates nor reads beyond, at any depth.
@Test(arguments: [1, 2, 100, 1 << 20, Int(Int32.max), Int(UInt32.max)])
func lengthBeyondTheEnd(excess: Int) {
    let span = WireWriter {
        $0.tag(5, 2)
        $0.varint(UInt64(excess))
    }
    let bytes = request { $0.bytes(2, span.bytes) }
    #expect(refusalMessage(bytes)?.contains(WireFault.lengthBeyondEnd.rawValue) == true)
}

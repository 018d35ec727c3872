// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

/// A view that can be compared.
private indirect enum Shown: Equatable {
    case absent, none, string(String), bool(Bool), int(Int64), double(Double), bytes([UInt8])
    case array([Shown]), pairs([String])

    init(_ value: AnyValueView?) {
        switch value?.kind {
        case nil: self = .absent
        case .some(.none): self = .none
        case .string(let text): self = .string(text.string)
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .double(let number): self = .double(number)
        case .bytes(let bytes): self = unsafe .bytes(Array(bytes.buffer))
        case .array(let members): self = .array(members.map { Shown($0) })
        case .kvlist(let members):
            // By index as well, since that is how they are sorted.
            self = .pairs(members.indices.map { members[$0].key.string })
        }
    }
}

private func withView<View: WireMessage, R>(_ bytes: [UInt8], _ body: (View) -> R) -> R {
    unsafe bytes.withUnsafeBytes { unsafe body(View(base: $0.baseAddress, count: $0.count)) }
}

private func shown(_ write: (inout WireWriter) -> Void) -> Shown {
    withView(WireWriter(write).bytes) { (value: AnyValueView) in Shown(value) }
}

/// Key and value of a pair.
private func parts(_ write: (inout WireWriter) -> Void) -> (String, Shown) {
    withView(WireWriter(write).bytes) { (pair: KeyValueView) in (pair.key.string, Shown(pair.value))
    }
}

// Goal: a pair reads the same in whatever form it is on the wire. Method: the usual form, and each
// way to leave it, up to lengths of more than one byte.
@Test func pairsInEveryForm() {
    let long = String(repeating: "k", count: 128)
    let value: @Sendable (inout WireWriter) -> Void = { $0.text(1, "v") }
    #expect(
        parts {
            $0.text(1, "k")
            $0.message(2, value)
        } == ("k", .string("v")))
    #expect(
        parts {
            $0.message(2, value)
            $0.text(1, "k")
        } == ("k", .string("v")))
    #expect(
        parts {
            $0.text(1, "a")
            $0.text(1, "b")
            $0.message(2, value)
        } == ("b", .string("v")))
    #expect(
        parts {
            $0.text(1, "a")
            $0.message(2, value)
            $0.text(1, "b")
        } == ("b", .string("v")))
    #expect(
        parts {
            $0.text(1, "k")
            $0.number(3, 5)
            $0.message(2, value)
        } == ("k", .string("v")))
    #expect(
        parts {
            $0.text(1, "k")
            $0.message(2, value)
            $0.bytes(9, [0x12])
        }
            == ("k", .string("v")))
    #expect(
        parts {
            $0.text(1, long)
            $0.message(2, value)
        } == (long, .string("v")))
    #expect(
        parts {
            $0.text(1, "k")
            $0.message(2) { $0.text(1, long) }
        } == ("k", .string(long)))
    #expect(
        parts {
            $0.text(1, "k")
            $0.message(2)
        } == ("k", .none))
    #expect(parts { $0.text(1, "k") } == ("k", .absent))
    #expect(parts { $0.message(2, value) } == ("", .string("v")))
    #expect(
        parts {
            $0.text(1, "")
            $0.message(2, value)
        } == ("", .string("v")))
    #expect(parts { _ in } == ("", .absent))
}

// Goal: integers of every length. Method: both sides of each length of a varint.
@Test(
    arguments: (0..<64).flatMap { bit -> [Int64] in
        let power = Int64(bitPattern: 1 << UInt64(bit))
        return [power, power &- 1, 0 &- power]
    })
func integersOfEveryLength(number: Int64) {
    #expect(shown { $0.number(3, UInt64(bitPattern: number)) } == .int(number))
}

// Goal: of several members of the oneof the last one counts, and unknown fields none. A bool of
// more bytes than it needs is true if any of its bits is set, as protobuf-c has it.
@Test func valuesInEveryForm() {
    #expect(
        shown {
            $0.text(1, "a")
            $0.number(3, 7)
        } == .int(7))
    #expect(
        shown {
            $0.number(3, 7)
            $0.text(1, "a")
        } == .string("a"))
    #expect(
        shown {
            $0.number(3, 7)
            $0.bytes(12, [1])
        } == .int(7))
    #expect(
        shown {
            $0.text(1, "a")
            $0.number(8, 0)
        } == .none)
    #expect(
        shown {
            $0.double(4, 2.5)
            $0.double(4, -1)
        } == .double(-1))
    #expect(shown { $0.number(2, 128) } == .bool(true))
    #expect(shown { $0.raw([0x10, 0x80, 0x00]) } == .bool(false))
    #expect(shown { $0.raw([0x18, 0x85, 0x80, 0x00]) } == .int(5))
    #expect(shown { $0.bytes(7, [1, 2]) } == .bytes([1, 2]))
    #expect(
        shown { $0.text(1, String(repeating: "x", count: 127)) }
            == .string(String(repeating: "x", count: 127)))
    #expect(
        shown { $0.text(1, String(repeating: "x", count: 128)) }
            == .string(String(repeating: "x", count: 128)))
}

// Goal: members of lists are found whatever stands between them.
@Test func membersBesideUnknownFields() {
    #expect(shown { $0.message(5) } == .array([]))
    #expect(
        shown {
            $0.message(5) { list in
                list.number(9, 1)
                list.message(1) { $0.number(3, 1) }
                list.fixed32(4, 2)
                list.message(1)
                list.bytes(2, [8, 8])
            }
        } == .array([.int(1), .none]))
    #expect(
        shown {
            $0.message(6) { list in
                list.fixed64(3, 1)
                list.message(1) { $0.text(1, "a") }
                list.message(1) { $0.text(1, "b") }
                list.number(7, 300)
            }
        } == .pairs(["a", "b"]))
    #expect(shown { $0.message(6) { $0.number(7, 300) } } == .pairs([]))
}

// Goal: bytes that no scan has accepted lead nowhere outside. Method: every beginning of a value
// that has one field of each wire type, and lengths that say too much.
@Test func cutOffMessagesEndWhereTheyEnd() {
    let whole = WireWriter {
        $0.text(1, "text")
        $0.fixed32(20, 1)
        $0.double(4, 1)
        $0.number(3, 1 << 40)
        $0.message(6) { $0.message(1) { $0.text(1, "key") } }
    }.bytes
    for count in 0...whole.count {
        let isThere = withView(Array(whole[..<count])) { (value: AnyValueView) in
            Shown(value) != .absent
        }
        #expect(isThere)
    }
    #expect(shown { $0.raw([0x0a, 0x7f, 0x61]) } == .none)
    #expect(shown { $0.raw([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]) } == .none)
    #expect(shown { $0.raw([0x0b, 0x0c]) } == .none)
}

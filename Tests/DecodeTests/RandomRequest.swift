// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Decode

/// A generator with a seed (SplitMix64), so that a failure can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in `count` times.
    mutating func oneIn(_ count: UInt64) -> Bool { next() % count == 0 }
}

/// Writes random requests that are valid: every field of the schema, unknown ones, and the odd
/// encodings that parsers must take (padded tags and lengths, numbers packed or not).
struct RandomRequest {
    private var generator: SeededGenerator
    /// Fields that may still be written, so that a request stays small.
    private var remainingCount = 0

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func bytes(_ signal: Signal) -> [UInt8] {
        remainingCount = Int.random(in: 1...400, using: &generator)
        return message(WireGrammar.shared.rootIndex(signal), depth: 0)
    }

    private mutating func message(_ index: UInt8, depth: Int) -> [UInt8] {
        var writer = WireWriter()
        var seenSingulars: UInt8 = 0
        // Now and then so many that protobuf-c needs one slab, or two.
        let fieldCountMax = generator.oneIn(12) ? 100 : depth < 3 ? 8 : 5
        for _ in 0..<Int.random(in: 0...fieldCountMax, using: &generator) where remainingCount > 0 {
            remainingCount -= 1
            let number = fieldNumber(of: index)
            let rule =
                number < WireGrammar.fieldNumberEnd
                ? unsafe WireGrammar.shared.rules(index)[number] : .unknown
            if rule.kind == .message || rule.kind == .wireMessage {
                guard seenSingulars & rule.bit == 0 else { continue }
                seenSingulars |= rule.bit
            }
            write(rule, number, depth: depth, &writer)
        }
        return writer.bytes
    }

    /// Mostly a field that the message has; sub-messages are preferred, or no request would be
    /// deep.
    private mutating func fieldNumber(of message: UInt8) -> Int {
        if generator.oneIn(20) {
            return [17, 31, 32, 1_000, 1 << 28].randomElement(using: &generator)!
        }
        let known = (1..<WireGrammar.fieldNumberEnd).filter {
            unsafe WireGrammar.shared.rules(message)[$0].kind != .unknown
        }
        let messages = known.filter {
            unsafe WireGrammar.shared.rules(message)[$0].kind.isMessage
        }
        let isMessage = !messages.isEmpty && generator.oneIn(2)
        return (isMessage ? messages : known).randomElement(using: &generator)!
    }

    private mutating func write(
        _ rule: FieldRule, _ number: Int, depth: Int, _ writer: inout WireWriter
    ) {
        switch rule.kind {
        case .varint: writer.number(number, randomNumber())
        case .fixed32: writer.fixed32(number, UInt32(truncatingIfNeeded: generator.next()))
        case .fixed64: writer.fixed64(number, generator.next())
        case .bytes: delimited(number, randomBytes(), &writer)
        case .text, .repeatedText: delimited(number, randomText(), &writer)
        case .message, .repeatedMessage, .wireMessage, .repeatedWireMessage:
            delimited(number, depth < 40 ? message(rule.child, depth: depth + 1) : [], &writer)
        case .repeatedVarint:
            let values = (0..<Int.random(in: 0...9, using: &generator)).map { _ in randomNumber() }
            if generator.oneIn(2) {
                for value in values { writer.number(number, value) }
            } else {
                delimited(
                    number, WireWriter { for value in values { $0.varint(value) } }.bytes, &writer)
            }
        case .repeatedFixed64:
            let values = (0..<Int.random(in: 0...9, using: &generator)).map { _ in generator.next()
            }
            if generator.oneIn(2) {
                for value in values { writer.fixed64(number, value) }
            } else {
                writer.packedFixed64(number, values)
            }
        case .unknown:
            switch generator.next() % 4 {
            case 0: writer.number(number, randomNumber())
            case 1: writer.fixed64(number, generator.next())
            case 2: writer.fixed32(number, 1)
            default: delimited(number, randomBytes(), &writer)
            }
        }
    }

    /// A length-delimited field, now and then with a tag or a length that is longer than need be.
    private mutating func delimited(_ number: Int, _ content: [UInt8], _ writer: inout WireWriter) {
        writer.padded(UInt64(number << 3 | 2), by: generator.oneIn(30) && number < 1_000 ? 1 : 0)
        writer.padded(UInt64(content.count), by: generator.oneIn(30) ? 2 : 0)
        writer.raw(content)
    }

    private mutating func randomNumber() -> UInt64 {
        generator.next() >> UInt64.random(in: 0..<64, using: &generator)
    }

    private mutating func randomBytes() -> [UInt8] {
        let countMax = generator.oneIn(10) ? 300 : 34
        return (0..<Int.random(in: 0...countMax, using: &generator)).map { _ in
            UInt8(truncatingIfNeeded: generator.next())
        }
    }

    private mutating func randomText() -> [UInt8] {
        if generator.oneIn(40) { return randomBytes() }
        return randomBytes().map { $0 % 95 + 32 }
    }
}

extension FieldKind {
    /// Whether the pre-scan looks into it.
    var isMessage: Bool {
        switch self {
        case .message, .repeatedMessage, .wireMessage, .repeatedWireMessage: true
        default: false
        }
    }
}

extension WireWriter {
    /// A varint with `extra` bytes that add nothing to its value.
    fileprivate mutating func padded(_ value: UInt64, by extra: Int) {
        varint(value)
        guard extra > 0 else { return }
        bytes[bytes.count - 1] |= 0x80
        for _ in 1..<extra { bytes.append(0x80) }
        bytes.append(0x00)
    }
}

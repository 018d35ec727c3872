// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

/// Field numbers that the tests write by hand, so that a wrong table in the product does not agree
/// with itself.
extension WireWriter {
    /// `KeyValue` as field `number`, with whatever `value` writes as its `AnyValue`.
    mutating func attribute(
        _ number: Int, _ key: String = "k",
        _ value: (inout WireWriter) -> Void = { $0.text(1, "v") }
    ) {
        message(number) { pair in
            pair.text(1, key)
            pair.message(2, value)
        }
    }

    /// A valid span as field 2 of `ScopeSpans`.
    mutating func span(_ more: (inout WireWriter) -> Void = { _ in }) {
        message(2) { span in
            span.bytes(1, [UInt8](repeating: 0xAB, count: 16))
            span.bytes(2, [UInt8](repeating: 0xCD, count: 8))
            span.text(5, "GET /")
            span.fixed64(7, 1_700_000_000_000_000_000)
            more(&span)
        }
    }
}

/// A request with one resource and one scope, with whatever `build` writes into it.
func request(scope build: (inout WireWriter) -> Void) -> [UInt8] {
    WireWriter { $0.message(1) { $0.message(2, build) } }.bytes
}

/// A request with one span that has one attribute, whose `AnyValue` is `value`.
func request(attributeValue value: [UInt8]) -> [UInt8] {
    request { scope in
        scope.span { span in
            span.message(9) { pair in
                pair.text(1, "k")
                pair.bytes(2, value)
            }
        }
    }
}

/// `AnyValue` bytes with `depth` values inside one another, alternately in arrays and in lists of
/// pairs.
func nestedValue(depth: Int) -> [UInt8] {
    // Built from the inside out, back to front, so that 10,000 levels take no quadratic time.
    var reversed: [UInt8] = []
    var sizeBytes = 0
    func prepend(_ number: Int) {
        let prefix = WireWriter {
            $0.tag(number, 2)
            $0.varint(UInt64(sizeBytes))
        }.bytes
        reversed += prefix.reversed()
        sizeBytes += prefix.count
    }
    for level in stride(from: depth - 1, to: 0, by: -1) {
        if level % 2 == 1 {
            prepend(1)  // ArrayValue.values
            prepend(5)  // AnyValue.array_value
        } else {
            prepend(2)  // KeyValue.value
            prepend(1)  // KeyValueList.values
            prepend(6)  // AnyValue.kvlist_value
        }
    }
    return reversed.reversed()
}

extension DecodeLimits {
    /// Generous enough for every request in the tests that does not test limits.
    static var forTests: DecodeLimits { DecodeLimits(unpackedSizeBytesMax: 1 << 30) }
}

/// Decodes `bytes` from a buffer that ends where they end, so that a sanitizer sees reads beyond
/// it.
func decode(
    _ bytes: [UInt8], _ signal: Signal = .traces, limits: DecodeLimits = .forTests,
    budget: MemoryBudget = MemoryBudget(limitBytes: 1 << 31)
) throws(DecodeError) -> Export {
    let body = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe body.deallocate() }
    unsafe body.copyBytes(from: bytes)
    let slice = unsafe ByteSlice(UnsafeRawBufferPointer(body))
    return try Decoder.decode(signal: signal, body: slice, limits: limits, budget: budget)
}

/// What a decode came to, in a form that can be compared.
enum DecodeResult: Equatable {
    case decoded(itemCount: Int)
    case refused(Refusal.Code)
    case overBudget
}

func result(
    _ bytes: [UInt8], _ signal: Signal = .traces, limits: DecodeLimits = .forTests
) -> DecodeResult {
    do throws(DecodeError) {
        let export = try decode(bytes, signal, limits: limits)
        return .decoded(itemCount: export.itemCount)
    } catch {
        switch error {
        case .refused(let refusal):
            #expect(refusal != Decoder.unexpectedRefusal)
            return .refused(refusal.code)
        case .overBudget: return .overBudget
        }
    }
}

/// The message of the refusal of `bytes`, or nil when they decode.
func refusalMessage(_ bytes: [UInt8], _ signal: Signal = .traces) -> String? {
    do throws(DecodeError) {
        _ = try decode(bytes, signal)
        return nil
    } catch {
        guard case .refused(let refusal) = error else { return nil }
        #expect(refusal != Decoder.unexpectedRefusal)
        return refusal.message
    }
}

extension WireGrammar {
    /// The rules of a message type, by field number.
    func rules(_ message: UInt8) -> UnsafePointer<FieldRule> {
        unsafe fields + Int(message) * Self.fieldNumberEnd
    }
}

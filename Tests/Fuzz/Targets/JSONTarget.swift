// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Decode

extension FuzzTarget {
    /// One for each signal; an input is a request as OTLP/JSON.
    static let json = Signal.allCases.map { signal in
        FuzzTarget(name: "json-\(signal)", inputSizeBytesMax: 8_192) {
            try checkJSON($0, signal)
        }
    }
}

private let limits = DecodeLimits(unpackedSizeBytesMax: 16 << 20)

/// What is taken becomes a protobuf message of the schema, which says the same when it is written
/// as JSON and read again; nothing of the budget stays behind.
private func checkJSON(_ input: ByteSlice, _ signal: Signal) throws {
    let budget = MemoryBudget(limitBytes: 64 << 20)
    if let text = try json(input, signal, budget) {
        let again = try withSlice(Array(text.utf8)) { try json($0, signal, budget) }
        try hold(again == text, "read again it says something else")
    }
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

/// The request as this daemon writes it; nil where it is not taken.
private func json(
    _ input: ByteSlice, _ signal: Signal, _ budget: MemoryBudget
) throws -> String? {
    let wire: WireBuffer
    do throws(JSONError) {
        wire = try JSONTranscoder.transcode(
            input, signal: signal, limits: limits, sizeBytesMax: 1 << 20, budget: budget)
    } catch {
        try hold(error != .overBudget, "a small request does not fit the budget")
        return nil
    }
    let isJSON = JSONSyntax.isJSON(input.array, isForJSONB: false)
    try hold(isJSON, "what is no JSON is taken")
    do throws(DecodeError) {
        return try Decoder.decode(
            signal: signal, body: wire.slice, limits: limits, budget: budget
        ).json
    } catch {
        guard case .refused(let refusal) = error else {
            throw Broken(description: "a small request does not fit the budget")
        }
        // A limit may be passed; but it is a message of the schema.
        let isWellFormed = !refusal.message.hasPrefix("not a valid OTLP message")
        try hold(isWellFormed, "no protobuf came out: \(refusal.message)")
        return nil
    }
}

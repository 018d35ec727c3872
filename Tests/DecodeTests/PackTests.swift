// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

import struct OTLPFixtures.Walk

@testable import Decode

// Goal: an export that is packed again is the same export. Method: random requests with every
// field; what the views show, and what is packed out of the copy, must be equal.

private func packed(_ export: borrowing Export) -> [UInt8] {
    var bytes: [UInt8] = []
    export.pack { unsafe bytes.append(contentsOf: $0.buffer) }
    return bytes
}

@Test(arguments: Signal.allCases)
func packedExportsAreTheSame(signal: Signal) throws {
    for seed in 0..<UInt64(500) {
        var request = RandomRequest(seed: seed)
        let export = try decode(request.bytes(signal), signal)
        let bytes = packed(export)
        #expect(bytes.count == export.packedSizeBytes, "\(signal) \(seed)")
        let copy = try decode(bytes, signal)
        #expect(copy.itemCount == export.itemCount, "\(signal) \(seed)")
        #expect(Walk(copy).checksum == Walk(export).checksum, "\(signal) \(seed)")
        #expect(packed(copy) == bytes, "\(signal) \(seed)")
    }
}

@Test func packedEmptyExportIsEmpty() throws {
    let export = try decode([], .logs)
    #expect(packed(export).isEmpty && export.packedSizeBytes == 0)
}

// SPDX-License-Identifier: Apache-2.0
import Base

/// Something that takes bytes from outside, and what must hold whatever they are.
struct FuzzTarget: Sendable {
    let name: String
    /// Longest input that is worth trying.
    let inputSizeBytesMax: Int
    /// Throws when something does not hold. A crash, a leak or a hang is for whoever runs it to
    /// see.
    let check: @Sendable (ByteSlice) throws -> Void

    static let all: [FuzzTarget] =
        decode + json + [
            FuzzTarget(name: "rows", inputSizeBytesMax: 8_192, check: checkRows),
            FuzzTarget(name: "text", inputSizeBytesMax: 256, check: checkText),
            FuzzTarget(name: "deframer", inputSizeBytesMax: 1_024, check: checkDeframer),
            FuzzTarget(name: "head", inputSizeBytesMax: 1_024, check: checkHead),
            FuzzTarget(name: "inflater", inputSizeBytesMax: 4_096, check: checkInflater),
            FuzzTarget(name: "services", inputSizeBytesMax: 1_024, check: checkServices),
            FuzzTarget(name: "http2", inputSizeBytesMax: 16_384, check: checkHTTP2),
            FuzzTarget(name: "configuration", inputSizeBytesMax: 8_192, check: checkConfiguration),
            FuzzTarget(name: "proxy", inputSizeBytesMax: 5_000, check: checkProxyHeader),
            FuzzTarget(name: "filter", inputSizeBytesMax: 4_096, check: checkFilter),
            FuzzTarget(name: "spool", inputSizeBytesMax: 4_096, check: checkSpool),
        ]

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Something that should hold does not.
struct Broken: Error, CustomStringConvertible {
    let description: String
}

func hold(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
    if !condition { throw Broken(description: sentence()) }
}

/// Takes an input apart: some bytes from its front decide how the rest is used.
struct InputReader {
    private(set) var rest: ByteSlice

    init(_ input: ByteSlice) { rest = input }

    /// The next byte; 0 at the end.
    mutating func byte() -> UInt8 {
        guard !rest.isEmpty else { return 0 }
        defer { rest = rest.slice(offset: 1, count: rest.count - 1) }
        return rest[0]
    }

    /// The next `count` bytes, or what there is.
    mutating func take(_ count: Int) -> ByteSlice {
        let count = min(count, rest.count)
        defer { rest = rest.slice(offset: count, count: rest.count - count) }
        return rest.slice(offset: 0, count: count)
    }
}

extension ByteSlice {
    var array: [UInt8] { unsafe Array(buffer) }
}

/// Shows bytes in memory of their own that ends where they end, so that a sanitizer sees reads
/// beyond.
func withSlice<R>(_ bytes: [UInt8], _ body: (ByteSlice) throws -> R) rethrows -> R {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe memory.deallocate() }
    unsafe memory.copyBytes(from: bytes)
    return try unsafe body(ByteSlice(UnsafeRawBufferPointer(memory)))
}

// SPDX-License-Identifier: Apache-2.0
import Base
import OTLPFixtures

@testable import Decode

extension FuzzTarget {
    /// One for each signal; an input is a request as it is on the wire.
    static let decode = Signal.allCases.map { signal in
        FuzzTarget(name: "decode-\(signal)", inputSizeBytesMax: 8_192) {
            try checkDecode($0, signal)
        }
    }
}

private let limits = DecodeLimits(unpackedSizeBytesMax: 16 << 20)

/// What the pre-scan accepts unpacks into exactly the arena that was predicted, can be read, and
/// comes back the same when it is packed again; nothing of the budget stays behind.
private func checkDecode(_ input: ByteSlice, _ signal: Signal) throws {
    let budget = MemoryBudget(limitBytes: 64 << 20)
    try checkDecode(input, signal, budget)
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

private func checkDecode(_ input: ByteSlice, _ signal: Signal, _ budget: MemoryBudget) throws {
    var export: Export
    do throws(DecodeError) {
        export = try Decoder.decode(signal: signal, body: input, limits: limits, budget: budget)
    } catch {
        try hold(error != .overBudget, "a small request does not fit the budget")
        let unexpected = DecodeError.refused(Decoder.unexpectedRefusal)
        return try hold(error != unexpected, "protobuf-c refuses what the pre-scan accepted")
    }
    try checkExport(export, budget: budget)
    do throws(DecodeError) {
        try export.stamp(ResourceStamp(key: "tenant", value: Array("mine".utf8)), limits: limits)
    } catch {
        return try hold(error != .overBudget, "there was room for the stamp")
    }
    try checkStamped(export, budget: budget)
}

/// A tenant that was put on each resource stands there once, whatever the client sent, and the
/// export can be stored and read again.
private func checkStamped(_ export: borrowing Export, budget: MemoryBudget) throws {
    var resources: [ResourceView?] = []
    for group in export.resourceSpans { resources.append(group.resource) }
    for group in export.resourceLogs { resources.append(group.resource) }
    for group in export.resourceMetrics { resources.append(group.resource) }
    for resource in resources {
        guard let resource else { throw Broken(description: "a group has no resource") }
        var tenants: [String] = []
        for attribute in resource.attributes where attribute.key.string == "tenant" {
            guard case .string(let value)? = attribute.value?.kind else { continue }
            tenants.append(value.string)
        }
        try hold(tenants == ["mine"], "the tenants are \(tenants)")
    }
    let checksum = Walk(export).checksum
    let signal = export.signal
    try withPacked(export) { slice in
        let copy = try Decoder.decode(
            signal: signal, body: slice, limits: limits.ofStored, budget: budget)
        let copiedChecksum = Walk(copy).checksum
        try hold(copiedChecksum == checksum, "another export comes out of the stamped one")
    }
}

/// Shows an export as it is stored.
private func withPacked(
    _ export: borrowing Export, _ body: (ByteSlice) throws -> Void
) throws {
    var bytes: [UInt8] = []
    export.pack { unsafe bytes.append(contentsOf: $0.buffer) }
    let announcedBytes = export.packedSizeBytes
    try hold(bytes.count == announcedBytes, "packed \(bytes.count), announced \(announcedBytes)")
    try withSlice(bytes, body)
}

private func checkExport(_ export: borrowing Export, budget: MemoryBudget) throws {
    let usedBytes = UnpackModel.rounded(export.usedSizeBytes)
    try hold(
        usedBytes == export.arenaSizeBytes,
        "\(usedBytes) bytes were used, \(export.arenaSizeBytes) predicted")
    let walk = Walk(export)
    try hold(
        walk.itemCount == export.itemCount,
        "\(walk.itemCount) items are seen, \(export.itemCount) were counted")
    try checkPacked(export, walk: walk, budget: budget)
    try checkSingleItems(export, budget: budget)
    try hold(export.json.utf8.last == UInt8(ascii: "}"), "the JSON form is cut")
}

private func checkPacked(
    _ export: borrowing Export, walk: Walk, budget: MemoryBudget
) throws {
    let signal = export.signal
    try withPacked(export) { slice in
        let copy = try Decoder.decode(signal: signal, body: slice, limits: limits, budget: budget)
        let copiedChecksum = Walk(copy).checksum
        try hold(copiedChecksum == walk.checksum, "another export comes out of the packed bytes")
    }
}

/// The first few items, each as a request of its own.
private func checkSingleItems(_ export: borrowing Export, budget: MemoryBudget) throws {
    var packer = SingleItemPacker()
    packer.begin()
    for ordinal in 0..<min(3, export.itemCount) {
        _ = packer.select(ordinal, of: export)
        var bytes = [UInt8](repeating: 0, count: packer.sizeBytes + 1)
        unsafe bytes.withUnsafeMutableBytes { unsafe packer.pack(into: $0.baseAddress!) }
        bytes.removeLast()
        let signal = export.signal
        try withSlice(bytes) { slice in
            let single = try Decoder.decode(
                signal: signal, body: slice, limits: limits, budget: budget)
            let itemCount = single.itemCount
            try hold(itemCount == 1, "the request of one item has \(itemCount)")
        }
    }
}

/// The text check agrees with the standard library's, wherever the text lies in a longer buffer.
func checkText(_ input: ByteSlice) throws {
    let bytes = input.array
    let isUTF8 = String(validating: bytes, as: UTF8.self) != nil
    let expected = bytes.contains(0) || !isUTF8
    try withSlice(bytes) { slice in
        guard let base = unsafe slice.base else { return }
        let isPlain = unsafe TextCheck.isPlain(
            base, count: slice.count, readableEnd: base + slice.count)
        let isASCII = bytes.allSatisfy { $0 > 0 && $0 < 0x80 }
        try hold(isPlain == isASCII, "plain text is \(isPlain)")
        let fault = unsafe TextCheck.fault(in: slice.buffer)
        try hold((fault != nil) == expected, "a fault was \(fault == nil ? "not found" : "found")")
        let isNULMeant = fault == .nulInText
        try hold(!isNULMeant || bytes.contains(0), "there is no NUL")
    }
    try withSlice(bytes + [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0]) { slice in
        guard let base = unsafe slice.base else { return }
        let isPlain = unsafe TextCheck.isPlain(
            base, count: bytes.count, readableEnd: base + slice.count)
        try hold(isPlain == bytes.allSatisfy { $0 > 0 && $0 < 0x80 }, "what follows was looked at")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: each limit holds exactly. Method: the last value that is allowed, and the first that is
// not.

@Test(arguments: [
    (1, true), (2, true), (63, true), (64, true), (65, false), (66, false), (270, false),
    (10_000, false),
])
func depthOfAttributeValues(depth: Int, isAllowed: Bool) {
    #expect(
        result(request(attributeValue: nestedValue(depth: depth)))
            == (isAllowed ? .decoded(itemCount: 1) : .refused(.invalidArgument)))
}

@Test(arguments: [(64, true), (65, false)])
func depthOfLogBodies(depth: Int, isAllowed: Bool) {
    let bytes = request { $0.message(2) { $0.bytes(5, nestedValue(depth: depth)) } }
    #expect(
        result(bytes, .logs) == (isAllowed ? .decoded(itemCount: 1) : .refused(.invalidArgument)))
}

// Both the short cut for plain attributes and the general way count a value as a level.
@Test(arguments: [(0, false), (1, true)])
func depthLimitOfSimpleAttributes(depthMax: Int, isAllowed: Bool) {
    var limits = DecodeLimits.forTests
    limits.anyValueDepthMax = depthMax
    for key in ["k", String(repeating: "k", count: 200)] {
        let bytes = request { $0.span { $0.attribute(9, key) } }
        #expect(
            result(bytes, limits: limits)
                == (isAllowed ? .decoded(itemCount: 1) : .refused(.invalidArgument)))
    }
}

// The deepest message that the scan has to follow: an exemplar's attribute at the greatest depth.
@Test(arguments: [(64, true), (65, false)])
func depthBelowAnExemplar(depth: Int, isAllowed: Bool) {
    let bytes = request {
        $0.message(2) {
            $0.message(7) {
                $0.message(1) {
                    $0.message(5) {
                        $0.message(7) { pair in
                            pair.text(1, "k")
                            pair.bytes(2, nestedPairs(depth: depth))
                        }
                    }
                }
            }
        }
    }
    #expect(
        result(bytes, .metrics) == (isAllowed ? .decoded(itemCount: 1) : .refused(.invalidArgument))
    )
}

/// `AnyValue` bytes with `depth` values inside one another, each in a list of pairs, the last one
/// with a pair without a value: three messages for each level.
private func nestedPairs(depth: Int) -> [UInt8] {
    var value = WireWriter { $0.message(6) { $0.message(1) { $0.text(1, "k") } } }.bytes
    for _ in 1..<depth {
        value = WireWriter { $0.message(6) { $0.message(1) { $0.bytes(2, value) } } }.bytes
    }
    return value
}

@Test(arguments: [(3, true), (4, false)])
func attributesOfOneOwner(count: Int, isAllowed: Bool) {
    var limits = DecodeLimits.forTests
    limits.attributeCountMax = 3
    func attributes(_ number: Int) -> (inout WireWriter) -> Void {
        { owner in for index in 0..<count { owner.attribute(number, "key\(index)") } }
    }
    let expected: DecodeResult = isAllowed ? .decoded(itemCount: 1) : .refused(.invalidArgument)
    let ofSpan = request { $0.span(attributes(9)) }
    let ofEvent = request { $0.span { $0.message(11, attributes(3)) } }
    let ofLink = request { $0.span { $0.message(13, attributes(4)) } }
    let ofList = request { $0.span { $0.attribute(9, "k") { $0.message(6, attributes(1)) } } }
    let ofScope = request {
        $0.message(1, attributes(3))
        $0.span()
    }
    let ofResource = WireWriter {
        $0.message(1) {
            $0.message(1, attributes(1))
            $0.message(2) { $0.span() }
        }
    }.bytes
    for bytes in [ofSpan, ofEvent, ofLink, ofList, ofScope, ofResource] {
        #expect(result(bytes, limits: limits) == expected)
    }
    let ofMetric = request {
        $0.message(2) {
            attributes(12)(&$0)
            $0.message(5) { $0.message(1) }
        }
    }
    #expect(result(ofMetric, .metrics, limits: limits) == expected)
    // An array is not a set of attributes.
    let ofArray = request {
        $0.span {
            $0.attribute(9, "k") { $0.message(5) { array in for _ in 0..<9 { array.message(1) } } }
        }
    }
    #expect(result(ofArray, limits: limits) == .decoded(itemCount: 1))
}

@Test func attributesOfDifferentOwnersAreCountedApart() {
    var limits = DecodeLimits.forTests
    limits.attributeCountMax = 2
    let bytes = request { scope in
        for _ in 0..<5 {
            scope.span { span in
                for _ in 0..<2 { span.attribute(9) }
                span.message(11) { event in for _ in 0..<2 { event.attribute(3) } }
            }
        }
    }
    #expect(result(bytes, limits: limits) == .decoded(itemCount: 5))
}

@Test(arguments: [(0, true), (4, true), (5, true), (6, false)])
func itemsOfOneRequest(count: Int, isAllowed: Bool) {
    var limits = DecodeLimits.forTests
    limits.itemCountMax = 5
    let expected: DecodeResult = isAllowed ? .decoded(itemCount: count) : .refused(.invalidArgument)
    // Spread over scopes and resources: the limit is for the request.
    let spread = WireWriter { request in
        for _ in 0..<count { request.message(1) { $0.message(2) { $0.message(2) } } }
    }.bytes
    #expect(result(spread, .traces, limits: limits) == expected)
    #expect(result(spread, .logs, limits: limits) == expected)
    for data in [5, 7, 9, 10, 11] {
        let points = request {
            $0.message(2) { $0.message(data) { data in for _ in 0..<count { data.message(1) } } }
        }
        #expect(result(points, .metrics, limits: limits) == expected)
    }
}

@Test func dataPointsOfAllKindsAreCounted() {
    let bytes = request { scope in
        for (count, data) in [(1, 5), (2, 7), (3, 9), (4, 10), (5, 11)] {
            scope.message(2) { $0.message(data) { data in for _ in 0..<count { data.message(1) } } }
        }
        scope.message(2) { $0.text(1, "without data") }
    }
    #expect(result(bytes, .metrics) == .decoded(itemCount: 15))
}

// Goal: what is too large unpacked is refused for good, and what does not fit now is not.
@Test func unpackedSizeLimitHoldsToTheByte() throws {
    let bytes = request { scope in for _ in 0..<10 { scope.span { $0.attribute(9) } } }
    let sizeBytes = try decode(bytes).heldSizeBytes
    #expect(
        result(bytes, limits: DecodeLimits(unpackedSizeBytesMax: sizeBytes))
            == .decoded(itemCount: 10))
    #expect(
        result(bytes, limits: DecodeLimits(unpackedSizeBytesMax: sizeBytes - 1))
            == .refused(.tooLarge))
}

// Goal: the blow-up of empty messages is stopped by its unpacked size. Method: 1 MiB of empty
// spans, which would unpack to more than 100 MiB, against the default limit.
@Test func blowUpOfEmptyMessagesIsRefused() {
    let bytes = request { scope in for _ in 0..<(1 << 19) { scope.raw([0x12, 0x00]) } }
    let limits = DecodeLimits(requestSizeBytesMax: 1 << 20)
    #expect(limits.unpackedSizeBytesMax == 8 << 20)
    #expect(result(bytes, limits: limits) == .refused(.tooLarge))
    #expect(result(bytes) == .decoded(itemCount: 1 << 19))
}

@Test func budgetIsHeldByTheExportAndGivenBack() throws {
    let bytes = request { scope in for _ in 0..<10 { scope.span() } }
    let budget = MemoryBudget(limitBytes: 1 << 20)
    do {
        let export = try decode(bytes, budget: budget)
        #expect(budget.inUseBytes == export.heldSizeBytes)
        #expect(export.heldSizeBytes > bytes.count)
    }
    #expect(budget.inUseBytes == 0)
}

@Test func spentBudgetIsNotARefusal() throws {
    let bytes = request { $0.span() }
    let sizeBytes = try decode(bytes).heldSizeBytes
    let budget = MemoryBudget(limitBytes: 1 << 20)
    #expect(budget.tryReserve(budget.limitBytes - sizeBytes + 1))
    #expect(throws: DecodeError.overBudget) { _ = try decode(bytes, budget: budget) }
    budget.release(1)
    #expect(throws: Never.self) { _ = try decode(bytes, budget: budget) }
}

@Test func whatTheWholeBudgetCannotHoldIsARefusal() throws {
    let bytes = request { $0.span() }
    let sizeBytes = try decode(bytes).heldSizeBytes
    let budget = MemoryBudget(limitBytes: sizeBytes - 1)
    #expect(throws: DecodeError.refused(.beyond(budget))) {
        _ = try decode(bytes, budget: budget)
    }
    #expect(budget.inUseBytes == 0)
}

// Goal: a request that would not fit beside what it holds already is told so, whoever else holds
// what. Method: both sides of what fits.
@Test func whatTheBudgetCannotHoldBesideTheRequestIsARefusal() throws {
    let bytes = request { $0.span() }
    let sizeBytes = try decode(bytes).heldSizeBytes
    let budget = MemoryBudget(limitBytes: sizeBytes + 1_000)
    try unsafe bytes.withUnsafeBytes { buffer in
        let body = unsafe ByteSlice(buffer)
        let decode = { (heldBytes: Int) throws(DecodeError) in
            _ = try Decoder.decode(
                signal: .traces, body: body, limits: .forTests, budget: budget,
                heldBytes: heldBytes)
        }
        try decode(1_000)
        #expect(throws: DecodeError.refused(.beyond(budget))) { try decode(1_001) }
        #expect(budget.tryReserve(1_001))
        #expect(throws: DecodeError.overBudget) { try decode(1_000) }
    }
}

// Goal: what is beyond protobuf-c's 32-bit lengths is refused unread. Method: an address that must
// not be read.
@Test func requestsOfTwoGibibytesAreRefusedUnread() {
    let slice = unsafe ByteSlice(base: UnsafeRawPointer(bitPattern: 16), count: 1 << 31)
    #expect {
        _ = try Decoder.decode(
            signal: .traces, body: slice, limits: .forTests, budget: MemoryBudget(limitBytes: 1))
    } throws: { error in
        guard case .refused(let refusal) = error as? DecodeError else { return false }
        return refusal.code == .tooLarge
    }
}

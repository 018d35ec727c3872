// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: after stamping, every resource says the same tenant, whatever it said before, and nothing
// else has changed. Method: look at the views, and at what is packed and decoded again.

private let stamp = ResourceStamp(key: "tenant.id", value: Array("acme".utf8))

private func packed(_ export: borrowing Export) -> [UInt8] {
    var bytes: [UInt8] = []
    export.pack { unsafe bytes.append(contentsOf: $0.buffer) }
    return bytes
}

/// The attributes of each resource as `key=value`, in order; nil for a group without a resource.
private func resources(_ export: borrowing Export) -> [[String]?] {
    let views: [ResourceView?] =
        switch export.signal {
        case .traces: export.resourceSpans.map(\.resource)
        case .logs: export.resourceLogs.map(\.resource)
        case .metrics: export.resourceMetrics.map(\.resource)
        }
    return views.map { view in
        view?.attributes.map { attribute in
            guard case .string(let text)? = attribute.value?.kind else {
                return attribute.key.string
            }
            return "\(attribute.key.string)=\(text.string)"
        }
    }
}

/// A request with groups whose resources have these attributes, each with an item that is faulty or
/// not; nil is a group without a resource.
private func request(_ groups: [[(key: String, value: String)]?]) -> [UInt8] {
    WireWriter { writer in
        for group in groups {
            writer.message(1) { message in
                if let group {
                    message.message(1) { resource in
                        for (key, value) in group {
                            resource.attribute(1, key) { $0.text(1, value) }
                        }
                    }
                }
                message.message(2) { $0.message(2) { _ in } }
            }
        }
    }.bytes
}

@Suite struct StampTests {
    @Test(arguments: Signal.allCases)
    func everyResourceSaysTheTenant(signal: Signal) throws {
        let bytes = request([
            [("service.name", "shop"), ("tenant.id", "other"), ("a", "b")],
            nil, [], [("tenant.id", "x"), ("tenant.id", "y")], [("tenant.idx", "z")],
        ])
        var export = try decode(bytes, signal)
        let itemCount = export.itemCount
        try export.stamp(stamp, limits: .forTests)
        let expected: [[String]?] = [
            ["service.name=shop", "a=b", "tenant.id=acme"], ["tenant.id=acme"],
            ["tenant.id=acme"], ["tenant.id=acme"], ["tenant.idx=z", "tenant.id=acme"],
        ]
        #expect(resources(export) == expected)
        #expect(export.itemCount == itemCount)
        let again = try decode(packed(export), signal)
        #expect(resources(again) == expected)
        #expect(again.itemCount == itemCount)
    }

    // A value of any other type is in the way as well.
    @Test func valuesOfOtherTypesGoToo() throws {
        let bytes = WireWriter {
            $0.message(1) { group in
                group.message(1) { resource in
                    resource.attribute(1, "tenant.id") {
                        $0.tag(3, 0)
                        $0.varint(7)
                    }
                    resource.message(1) { $0.text(1, "tenant.id") }
                }
            }
        }.bytes
        var export = try decode(bytes)
        try export.stamp(stamp, limits: .forTests)
        #expect(resources(export) == [["tenant.id=acme"]])
    }

    @Test(arguments: Signal.allCases)
    func nothingElseChanges(signal: Signal) throws {
        for seed in 0..<UInt64(100) {
            var random = RandomRequest(seed: seed)
            let bytes = random.bytes(signal)
            var stamped = try decode(bytes, signal)
            try stamped.stamp(stamp, limits: .forTests)
            // Stamping what is stamped gives the same.
            var again = try decode(packed(stamped), signal)
            let before = packed(again)
            try again.stamp(stamp, limits: .forTests)
            #expect(packed(again) == before, "\(signal) \(seed)")
            #expect(again.itemCount == stamped.itemCount, "\(signal) \(seed)")
        }
    }

    @Test func memoryIsChargedAndGivenBack() throws {
        let budget = MemoryBudget(limitBytes: 1 << 20)
        do {
            var export = try decode(request([[("a", "b")], nil]), budget: budget)
            let heldBytes = export.heldSizeBytes
            #expect(budget.inUseBytes == heldBytes)
            try export.stamp(stamp, limits: .forTests)
            #expect(export.heldSizeBytes > heldBytes)
            #expect(budget.inUseBytes == export.heldSizeBytes)
        }
        #expect(budget.inUseBytes == 0)
    }

    @Test func withoutMemoryNothingIsChanged() throws {
        let bytes = request([[("tenant.id", "other")]])
        let neededBytes = try decode(bytes).heldSizeBytes
        let budget = MemoryBudget(limitBytes: neededBytes + 8)
        var export = try decode(bytes, budget: budget)
        #expect(throws: DecodeError.overBudget) { try export.stamp(stamp, limits: .forTests) }
        #expect(resources(export) == [["tenant.id=other"]])
    }

    // What is stamped must be unpackable again, by the limits for what was stored before.
    @Test func theLastOfManyAttributesFits() throws {
        var limits = DecodeLimits.forTests
        limits.attributeCountMax = 5
        let bytes = request([(0..<5).map { ("k\($0)", "v") }])
        var export = try decode(bytes, limits: limits)
        try export.stamp(stamp, limits: limits)
        let wire = packed(export)
        #expect(throws: DecodeError.self) { _ = try decode(wire, limits: limits) }
        #expect(try resources(decode(wire, limits: limits.ofStored))[0]?.count == 6)
    }

    @Test func tooManyResourcesAreRefused() throws {
        let bytes = request(Array(repeating: nil, count: 1_000))
        let arenaBytes = try decode(bytes).arenaSizeBytes
        let limits = DecodeLimits(unpackedSizeBytesMax: arenaBytes + 10_000)
        var export = try decode(bytes, limits: limits)
        do throws(DecodeError) {
            try export.stamp(stamp, limits: limits)
            Issue.record("it was stamped")
        } catch {
            guard case .refused(let refusal) = error else { throw error }
            #expect(refusal.code == .tooLarge)
        }
        #expect(resources(export).allSatisfy { $0 == nil })
    }
}

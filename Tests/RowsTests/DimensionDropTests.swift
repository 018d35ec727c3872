// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows
import Testing

// Goal: a dropped attribute is no part of a dimension, so that it tells no two of them apart.
// Method: exports that differ in dropped attributes only, and what of them is missing.

private let drops = DimensionDrops(
    resource: AttributeDrops(["secret", "service.namespace"]), scope: AttributeDrops(["secret"]),
    series: AttributeDrops(["secret"]))

private func resources(_ list: [OTLPAttributes], _ drops: DimensionDrops) throws -> [ContentHash] {
    var hashes: [ContentHash] = []
    let budget = MemoryBudget(limitBytes: 64 << 20)
    var builder = RowBuilder(limits: RowLimits(), budget: budget)
    builder.drops = drops
    builder.beginBatch()
    for (index, attributes) in list.enumerated() {
        let bytes = request(resource: attributes) { $0.span() }
        let box = try ExportBox(.traces, bytes, budget: budget)
        #expect(builder.resolveDimensions(of: box.export, at: index) == .resolved)
        hashes = builder.missing.resources.entries.map(\.hash)
    }
    return hashes
}

@Test func droppedAttributesDoNotTellResourcesApart() throws {
    let list: [OTLPAttributes] = [
        ["a": .int(1)], ["a": .int(1), "secret": .string("x")],
        ["secret": .int(2), "a": .int(1), "secret": .bool(true)],
    ]
    #expect(try resources(list, DimensionDrops()).count == 3)
    let dropped = try resources(list, drops)
    #expect(dropped.count == 1)
    #expect(try dropped == resources([["a": .int(1)]], DimensionDrops()))
}

@Test func nestedNamesAreNotDropped() throws {
    let list: [OTLPAttributes] = [
        ["a": .pairs(["secret": .int(1)])], ["a": .pairs(["secret": .int(2)])],
    ]
    #expect(try resources(list, drops).count == 2)
}

@Test func droppedAttributesAreNoContent() throws {
    let budget = MemoryBudget(limitBytes: 64 << 20)
    var builder = RowBuilder(limits: RowLimits(), budget: budget)
    builder.drops = drops
    builder.beginBatch()
    let attributes: OTLPAttributes = [
        "service.namespace": .string("n"), "service.name": .string("s"), "secret": .int(1),
    ]
    let box = try ExportBox(
        .traces, request(resource: attributes) { $0.span() }, budget: budget)
    #expect(builder.resolveDimensions(of: box.export, at: 0) == .resolved)
    let content = try #require(builder.missing.resources.entries.first?.content)
    #expect(content.serviceName?.string == "s")
    #expect(content.serviceNamespace == nil)
    #expect(content.attributes?.members.map(\.key.string) == ["service.name"])
    #expect(builder.droppedAttributeCount == 2)
}

@Test func seriesThatDifferInDroppedAttributesAreOne() throws {
    let bytes = request { scope in
        scope.metric(kind: 5) { gauge in
            for index in 0..<3 {
                gauge.message(1) { point in
                    point.fixed64(3, baseUnixNs)
                    point.attributes(7, ["secret": .int(Int64(index)), "a": .int(1)])
                }
            }
        }
    }
    let budget = MemoryBudget(limitBytes: 64 << 20)
    var builder = RowBuilder(limits: RowLimits(), budget: budget)
    builder.drops = drops
    builder.beginBatch()
    let box = try ExportBox(.metrics, bytes, budget: budget)
    #expect(builder.resolveDimensions(of: box.export, at: 0) == .resolved)
    var database = FakeDatabase()
    database.upsert(&builder.missing)
    builder.learn()
    #expect(builder.resolveSeries(of: box.export, at: 0) == .resolved)
    #expect(builder.missing.series.count == 1)
    #expect(builder.missing.series.entries[0].content.effectiveAttributes.members.count == 1)
}

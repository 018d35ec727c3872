// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows
import Testing

private func resource(_ attributes: OTLPAttributes) throws -> Resolved {
    try Resolved(
        .traces,
        WireWriter { $0.message(1) { $0.message(1) { $0.attributes(1, attributes) } } }.bytes)
}

@Test func attributesGoIntoTheTablesOfTheirTypes() throws {
    let resolved = try resource([
        "z": .string("1"), "b": .bool(true), "i": .int(1), "d": .double(1), "y": .bytes([1]),
        "arr": .array([]), "kv": .pairs([:]), "none": .empty, "absent": .absent,
        String(repeating: "k", count: 512): .int(1), String(repeating: "l", count: 513): .int(1),
        "i": .string("last"), "": .int(0),
    ])
    let content = resolved.builder.missing.resources.entries[0].content
    let attributes = try #require(content.attributes)
    let tables = attributes.members.map { attribute in
        let key = attribute.key.count > 10 ? "\(attribute.key.count)" : attribute.key.string
        return "\(key) \(AttributeTable(of: attribute).suffix)"
    }
    #expect(
        tables == [
            " int", "absent other", "arr other", "b bool", "d double", "i string", "512 int",
            "kv other",
            "513 other", "none other", "y bytes", "z string",
        ])
    #expect(attributes.others.map { $0.key.count } == [6, 3, 2, 513, 4])
}

@Test(
    arguments: [
        ([:], nil), (["service.name": .string("a")], "a"), (["service.name": .string("")], ""),
        (["service.name": .int(1)], nil),
        (["service.name": .string("a"), "service.name": .string("b")], "b"),
        (["service.name": .string("a"), "service.name": .empty], nil),
        (["service.nam": .string("a")], nil),
        (["service.name2": .string("a")], nil),
    ] as [(OTLPAttributes, String?)])
func serviceName(attributes: OTLPAttributes, expected: String?) throws {
    let resolved = try resource(attributes)
    #expect(resolved.builder.missing.resources.entries[0].content.serviceName?.string == expected)
}

@Test func whatAMetricSays() throws {
    let bytes = request { scope in
        for kind in [5, 7, 9, 10, 11] {
            scope.metric(name: "m", kind: kind) { data in
                data.message(1) { $0.fixed64(3, baseUnixNs) }
                if kind == 7 {
                    data.number(2, 1)
                    data.number(3, 1)
                }
            }
        }
        scope.metric(name: "without points", kind: 5) { _ in }
        scope.message(2) { $0.text(1, "without data") }
        scope.text(3, "https://schema")
    }
    // What is missing borrows from the export, so that it has to stay.
    let resolved = try Resolved(.metrics, bytes)
    let entries = resolved.builder.missing.metrics.entries
    let contents = entries.map { $0.content.content }
    #expect(contents.map { $0.typeID } == [5, 7, 9, 10, 11])
    #expect(contents.map { $0.temporality } == [nil, 1, 0, 0, nil])
    #expect(contents.map { $0.isMonotonic } == [nil, true, nil, nil, nil])
    #expect(contents.allSatisfy { $0.schemaURL.string == "https://schema" })
    #expect(Set(entries.map { $0.hash }).count == 5)
}

@Test func wordingChangesAMetricButNotItsIdentity() throws {
    let bytes = request { scope in
        for description in ["one wording", "another"] {
            scope.message(2) { metric in
                metric.text(1, "m")
                metric.text(2, description)
                metric.message(5) { $0.message(1) }
            }
        }
    }
    // What is missing borrows from the export, so that it has to stay.
    let resolved = try Resolved(.metrics, bytes)
    let entries = resolved.builder.missing.metrics.entries
    #expect(entries.count == 2 && entries[0].hash != entries[1].hash)
    #expect(entries[0].content.identityHash == entries[1].content.identityHash)
}

@Test func missingDimensionsAreSortedByHash() throws {
    let bytes = request { scope in for number in 0..<20 { scope.span(name: "operation \(number)") }
    }
    let resolved = try Resolved(.traces, bytes)
    let operations = resolved.builder.missing.operations
    let hashes = operations.positionsSortedByHash.map { operations.entries[$0].hash }
    #expect(hashes == operations.entries.map { $0.hash }.sorted() && hashes.count == 20)
}

@Test func idsAreLearnedByHash() throws {
    var resolved = try resource([:])
    let hash = resolved.builder.missing.resources.entries[0].hash
    #expect(!resolved.builder.missing.isResolved)
    let isLearned = resolved.builder.missing.resources.learn(id: 17, hash: hash)
    let isUnknown = !resolved.builder.missing.scopes.learn(id: 17, hash: hash)
    #expect(isLearned && isUnknown)
    #expect(
        resolved.builder.missing.isResolved
            && resolved.builder.missing.resources.entries[0].id == 17)
}

// Goal: the dictionary of operations has an end, and spans do not depend on it. Method: the cap,
// below, at and above it.
@Test(arguments: [(0, 2), (1, 1), (2, 0), (3, 0)])
func operationsPastTheCapStandOnTheirRows(countInDatabase: Int, allowance: Int) throws {
    var limits = RowLimits()
    limits.operationCountMax = 2
    let budget = MemoryBudget(limitBytes: 1 << 20)
    var builder = RowBuilder(limits: limits, budget: budget)
    builder.operationCountInDatabase = countInDatabase
    let box = try ExportBox(
        .traces, request { for name in ["a", "b", "a", "c"] { $0.span(name: name) } },
        budget: budget)
    builder.beginBatch()
    _ = builder.resolveDimensions(of: box.export, at: 0)
    #expect(builder.missing.operationInsertCountMax == allowance)
    #expect(builder.missing.operations.count == 3)

    // The database adds as many as it may; the others stay without an id.
    for (index, entry) in builder.missing.operations.entries.prefix(allowance).enumerated() {
        builder.missing.operations.learn(id: Int64(index + 100), hash: entry.hash)
    }
    builder.missing.operationInsertedCount = allowance
    for entry in builder.missing.resources.entries {
        builder.missing.resources.learn(id: 1, hash: entry.hash)
    }
    for entry in builder.missing.scopes.entries {
        builder.missing.scopes.learn(id: 1, hash: entry.hash)
    }
    builder.learn()
    #expect(builder.operationCountInDatabase == countInDatabase + allowance)
    #expect(builder.missing.operationInsertCountMax == 0)

    func operationIDs() -> [Int32?] {
        var sink = RecordedRows()
        _ = builder.emitRows(
            of: box.export, at: 0,
            context: EmissionContext(
                window: AcceptWindow(minUnixNs: 0, maxUnixNs: baseUnixNs), arrivalUnixNs: baseUnixNs
            ),
            into: &sink)
        return sink.operationIDs
    }
    let ids: [Int32?] = [100, 101].prefix(allowance) + Array(repeating: nil, count: 3 - allowance)
    #expect(operationIDs() == [ids[0], ids[1], ids[0], ids[2]])

    // Nobody is asked again about those that have no id.
    builder.beginBatch()
    _ = builder.resolveDimensions(of: box.export, at: 0)
    #expect(builder.missing.isEmpty)
    #expect(operationIDs() == [ids[0], ids[1], ids[0], ids[2]])
}

@Test func logIDsComeFromOneRangeAfterTheOther() throws {
    var resolved = try Resolved(.logs, request { for _ in 0..<5 { $0.logRecord() } })
    resolved.learn()
    #expect(resolved.builder.logIDs.shortage(forRecordCount: 5) == 5)
    resolved.builder.logIDs.add(10..<12)
    resolved.builder.logIDs.add(20..<20)
    resolved.builder.logIDs.add(30..<31)
    resolved.builder.logIDs.add(40..<50)
    #expect(resolved.builder.logIDs.remainingCount == 13)
    #expect(resolved.builder.logIDs.shortage(forRecordCount: 13) == 0)
    #expect(resolved.builder.logIDs.shortage(forRecordCount: 14) == 1)
    #expect(resolved.emit().tally?.rowCount == 5)
    #expect(resolved.builder.logIDs.remainingCount == 8)
}

@Test func withoutLogIDsEmissionTraps() async {
    await #expect(processExitsWith: .failure) {
        var resolved = try Resolved(.logs, request { $0.logRecord() })
        resolved.learn()
        _ = resolved.emit()
    }
}

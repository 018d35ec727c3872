// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows
import Testing

/// Metrics with several of everything.
private func metrics(resources: Range<Int>, pointCount: Int = 3) -> [UInt8] {
    WireWriter { request in
        for resource in resources {
            request.message(1) { envelope in
                envelope.message(1) {
                    $0.attributes(1, ["service.name": .string("service \(resource)")])
                }
                for scope in 0..<2 {
                    envelope.message(2) { scopeEnvelope in
                        scopeEnvelope.message(1) { $0.text(1, "scope \(scope)") }
                        for kind in [5, 9, 11] {
                            scopeEnvelope.metric(name: "metric \(kind)", kind: kind) { data in
                                for point in 0..<pointCount {
                                    data.message(1) { message in
                                        message.fixed64(3, baseUnixNs)
                                        message.attributes(
                                            kind == 9 ? 9 : 7, ["p": .int(Int64(point))])
                                        if kind == 9 { message.double(7, Double(point)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }.bytes
}

/// Series ids of all points of the exports, resolved in one batch.
private func seriesIDs(
    _ requests: [[UInt8]], limits: RowLimits, database: inout FakeDatabase
) throws -> [Int64] {
    let budget = MemoryBudget(limitBytes: 64 << 20)
    var builder = RowBuilder(limits: limits, budget: budget)
    let boxes = try requests.map { try ExportBox(.metrics, $0, budget: budget) }
    var result: [Int64] = []
    for _ in 0..<2 {
        builder.beginBatch()
        func learn() {
            guard !builder.missing.isEmpty else { return }
            #expect(builder.missing.count <= limits.missingCountMax)
            database.upsert(&builder.missing)
            builder.learn()
        }
        for (index, box) in boxes.enumerated() {
            while builder.resolveDimensions(of: box.export, at: index) == .missingIsFull { learn() }
        }
        learn()
        for (index, box) in boxes.enumerated() {
            while builder.resolveSeries(of: box.export, at: index) == .missingIsFull { learn() }
        }
        learn()
        var sink = RecordedRows()
        let context = EmissionContext(
            window: AcceptWindow(minUnixNs: 0, maxUnixNs: baseUnixNs), arrivalUnixNs: baseUnixNs)
        for (index, box) in boxes.enumerated() {
            _ = builder.emitRows(of: box.export, at: index, context: context, into: &sink)
        }
        result = sink.seriesIDs
    }
    return result
}

// Goal: neither how much may be missing at once nor how little is cached changes what is stored.
// Method: resolve once without bounds, then with ever smaller ones against the same database.
@Test(arguments: [1, 2, 3, 7, 100], [2, 5, 1_000])
func boundsDoNotChangeWhatIsStored(missingCountMax: Int, cachedCountMax: Int) throws {
    let requests = [
        metrics(resources: 0..<3), metrics(resources: 2..<5), metrics(resources: 0..<1),
    ]
    var database = FakeDatabase()
    let expected = try seriesIDs(requests, limits: RowLimits(), database: &database)
    // 5 resources × 2 scopes × 3 metrics × 3 points.
    #expect(Set(expected).count == 90 && expected.count == 7 * 18)

    var limits = RowLimits()
    limits.missingCountMax = missingCountMax
    let cache = RowLimits.Cache(entryCountMax: cachedCountMax, keySizeBytesMax: 1 << 20)
    (limits.resources, limits.scopes, limits.metrics) = (cache, cache, cache)
    (limits.bounds, limits.series, limits.operations) = (cache, cache, cache)
    #expect(try seriesIDs(requests, limits: limits, database: &database) == expected)
}

@Test func whatIsCachedIsNotAskedForAgain() throws {
    var resolved = try Resolved(.metrics, metrics(resources: 0..<2))
    resolved.learn()
    resolved.learn()
    #expect(resolved.database.roundCount == 2)
    // 2 resources, 2 scopes, 3 metrics, 3 bounds, 36 series.
    #expect(resolved.builder.cachedCount == 46 && resolved.builder.evictedCount == 0)
    resolved.builder.beginBatch()
    let resolution = resolved.builder.resolveDimensions(of: resolved.box.export, at: 0)
    #expect(resolution == .resolved)
    #expect(resolved.builder.missing.isEmpty)
    let seriesResolution = resolved.builder.resolveSeries(of: resolved.box.export, at: 0)
    #expect(seriesResolution == .resolved)
    #expect(resolved.builder.missing.isEmpty)

    resolved.builder.forgetDimensions()
    resolved.builder.beginBatch()
    _ = resolved.builder.resolveDimensions(of: resolved.box.export, at: 0)
    #expect(resolved.builder.missing.count == 10)
}

@Test func whatWasNotLearnedIsMissingAgain() throws {
    var resolved = try Resolved(.traces, request { $0.span() })
    #expect(resolved.builder.missing.count == 3)
    // The database was not there; the same batch is made again.
    resolved.builder.beginBatch()
    #expect(resolved.builder.missing.isEmpty)
    let resolution = resolved.builder.resolveDimensions(of: resolved.box.export, at: 0)
    #expect(resolution == .resolved)
    #expect(resolved.builder.missing.count == 3)
}

@Test func theSameContentInAnotherOrderIsMissingOnce() throws {
    let bytes = WireWriter { request in
        for attributes in [["a": .int(1), "b": .int(2)], ["b": .int(2), "a": .int(1)]]
            as [OTLPAttributes]
        {
            request.message(1) { $0.message(1) { $0.attributes(1, attributes) } }
        }
    }.bytes
    let resolved = try Resolved(.logs, bytes)
    #expect(resolved.builder.missing.resources.count == 1)
}

@Test func contentTooLongForACacheIsStillResolved() throws {
    let long = String(repeating: "x", count: 20_000)
    let bytes = request(resource: ["long": .string(long), "service.name": .string(long)]) {
        $0.span()
    }
    var resolved = try Resolved(.traces, bytes)
    #expect(resolved.builder.missing.resources.count == 1)
    resolved.learn()
    let (tally, rows) = resolved.emit()
    #expect(tally?.rowCount == 1)
    // A service name of that length makes no dictionary entry.
    #expect(rows.operationIDs == [nil])
}

@Test func resolvingStopsAtTheBudgetAndGoesOnAfterIt() throws {
    let budget = MemoryBudget(limitBytes: 1 << 20)
    var builder = RowBuilder(limits: RowLimits(), budget: budget)
    let box = try ExportBox(.traces, request { for _ in 0..<600 { $0.span() } }, budget: budget)
    builder.beginBatch()
    // Room for the first block of refs of resources, of scopes and of spans, of which 512 fit.
    let takenBytes = budget.limitBytes - budget.inUseBytes - 3 * 4_096
    #expect(budget.tryReserve(takenBytes))
    let stopped = builder.resolveDimensions(of: box.export, at: 0)
    #expect(stopped == .overBudget)
    builder.truncate(exportCount: 0)
    budget.release(takenBytes)
    let resolution = builder.resolveDimensions(of: box.export, at: 0)
    #expect(resolution == .resolved)
    #expect(builder.missing.count == 3)
}

@Test func exportsCanBeTakenOutOfABatch() throws {
    var resolved = try Resolved(.metrics, metrics(resources: 0..<1))
    let other = try ExportBox(.metrics, metrics(resources: 1..<3), budget: resolved.budget)
    _ = resolved.builder.resolveDimensions(of: other.export, at: 1)
    resolved.builder.truncate(exportCount: 1)
    resolved.learn()
    resolved.learn()
    #expect(resolved.emit().tally?.rowCount == 18)
    // It may join again, even now.
    let resolution = resolved.builder.resolveDimensions(of: other.export, at: 1)
    #expect(resolution == .resolved)
    #expect(resolved.builder.missing.isEmpty)
}

@Test func aFullSinkEndsTheEmission() throws {
    var resolved = try Resolved(.traces, request { for _ in 0..<3 { $0.span() } })
    resolved.learn()
    for rowCountMax in 0..<3 {
        var sink = RecordedRows(rowCountMax: rowCountMax)
        let tally = resolved.builder.emitRows(
            of: resolved.box.export, at: 0,
            context: EmissionContext(
                window: AcceptWindow(minUnixNs: 0, maxUnixNs: baseUnixNs), arrivalUnixNs: baseUnixNs
            ),
            into: &sink)
        #expect(tally == nil && sink.itemOrdinals.count == rowCountMax)
    }
}

@Test func aDimensionLeftWithoutAnIDTraps() async {
    await #expect(processExitsWith: .failure) {
        var resolved = try Resolved(.traces, request { $0.span() })
        resolved.builder.learn()
    }
}

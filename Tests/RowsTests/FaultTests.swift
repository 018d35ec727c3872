// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows
import Testing

// Goal: what cannot be stored is left out, counted, and named; everything else is stored. Method:
// one fault each, among items without faults.

private let window = AcceptWindow(minUnixNs: baseUnixNs - 10, maxUnixNs: baseUnixNs + 10)
private let outOfRange = UInt64(Int64.max) + 1

private func emitted(
    _ signal: Signal, _ bytes: [UInt8], arrivalUnixNs: UInt64 = baseUnixNs
) throws -> (tally: RowTally, ordinals: [Int]) {
    var resolved = try Resolved(signal, bytes)
    resolved.learn()
    resolved.learn()
    let (tally, rows) = resolved.emit(window: window, arrivalUnixNs: arrivalUnixNs)
    return (try #require(tally), rows.itemOrdinals)
}

private typealias Change = @Sendable (inout WireWriter) -> Void

private let spanFaults: [(Change, ItemFault?)] = [
    ({ _ in }, nil),
    ({ $0.bytes(1, []) }, .invalidTraceID),
    ({ $0.bytes(1, Array(repeating: 1, count: 15)) }, .invalidTraceID),
    ({ $0.bytes(1, Array(repeating: 1, count: 17)) }, .invalidTraceID),
    ({ $0.bytes(1, Array(repeating: 0, count: 16)) }, .invalidTraceID),
    ({ $0.bytes(2, []) }, .invalidSpanID),
    ({ $0.bytes(2, Array(repeating: 1, count: 7)) }, .invalidSpanID),
    ({ $0.bytes(2, Array(repeating: 0, count: 8)) }, .invalidSpanID),
    ({ $0.bytes(4, Array(repeating: 0, count: 8)) }, nil),
    ({ $0.bytes(4, Array(repeating: 1, count: 7)) }, .invalidParentSpanID),
    ({ $0.bytes(4, Array(repeating: 1, count: 9)) }, .invalidParentSpanID),
    ({ $0.bytes(4, [0]) }, .invalidParentSpanID),
    ({ $0.fixed64(7, outOfRange) }, .timeOutOfRange),
    ({ $0.fixed64(8, outOfRange) }, .timeOutOfRange),
    // The end may lie anywhere: partitions go by the start.
    ({ $0.fixed64(8, outOfRange - 1) }, nil),
    ({ $0.fixed64(8, 0) }, nil),
    ({ $0.fixed64(7, baseUnixNs - 10) }, nil),
    ({ $0.fixed64(7, baseUnixNs - 11) }, .timeOutsideWindow),
    ({ $0.fixed64(7, baseUnixNs + 10) }, nil),
    ({ $0.fixed64(7, baseUnixNs + 11) }, .timeOutsideWindow),
    ({ $0.fixed64(7, 0) }, .timeOutsideWindow),
    ({ $0.text(3, "a\0b") }, .nulInText),
    ({ $0.bytes(3, [0xff]) }, .invalidUTF8),
    ({ $0.attributes(9, ["k": .string("\0")]) }, .nulInText),
]

@Test(arguments: spanFaults.indices)
func spanFault(index: Int) throws {
    let (change, fault) = spanFaults[index]
    let bytes = request { scope in
        scope.span()
        scope.span(more: change)
        scope.span()
    }
    let (tally, ordinals) = try emitted(.traces, bytes)
    #expect(tally.firstFault == fault)
    #expect(
        tally.rejectedItemCount == (fault == nil ? 0 : 1)
            && tally.rowCount == 3 - tally.rejectedItemCount)
    #expect(ordinals == (fault == nil ? [0, 1, 2] : [0, 2]))
}

private let logFaults: [(Change, ItemFault?)] = [
    ({ _ in }, nil),
    ({ $0.bytes(9, [1, 2]) }, nil),
    ({ $0.bytes(10, [1, 2]) }, nil),
    ({ $0.fixed64(1, outOfRange) }, .timeOutOfRange),
    ({ $0.fixed64(11, outOfRange) }, .timeOutOfRange),
    ({ $0.fixed64(11, outOfRange - 1) }, nil),
    ({ $0.fixed64(1, baseUnixNs - 11) }, .timeOutsideWindow),
    ({ $0.fixed64(1, baseUnixNs + 11) }, .timeOutsideWindow),
    ({ $0.fixed64(1, 0) }, nil),
    (
        {
            $0.fixed64(1, 0)
            $0.fixed64(11, baseUnixNs + 11)
        }, .timeOutsideWindow
    ),
    ({ $0.text(3, "\0") }, .nulInText),
]

@Test(arguments: logFaults.indices)
func logFault(index: Int) throws {
    let (change, fault) = logFaults[index]
    let bytes = request { scope in
        scope.logRecord(more: change)
        scope.logRecord()
    }
    var resolved = try Resolved(.logs, bytes)
    resolved.builder.logIDs.add(1..<100)
    resolved.learn()
    let (tally, rows) = resolved.emit(window: window)
    #expect(tally?.firstFault == fault)
    #expect(rows.itemOrdinals == (fault == nil ? [0, 1] : [1]))
    // Records that are not stored use up no ids.
    #expect(resolved.builder.logIDs.remainingCount == 99 - rows.itemOrdinals.count)
}

@Test func aLogRecordWithoutAnyTimeHasTheTimeOfArrival() throws {
    for (arrivalUnixNs, fault) in [(baseUnixNs, nil), (baseUnixNs + 11, .timeOutsideWindow)]
        as [(UInt64, ItemFault?)]
    {
        var resolved = try Resolved(.logs, request { $0.logRecord(timeUnixNs: 0) })
        resolved.builder.logIDs.add(1..<100)
        resolved.learn()
        #expect(
            resolved.emit(window: window, arrivalUnixNs: arrivalUnixNs).tally?.firstFault == fault)
    }
}

private let pointFaults: [(Change, ItemFault?)] = [
    ({ _ in }, nil),
    ({ $0.fixed64(3, outOfRange) }, .timeOutOfRange),
    ({ $0.fixed64(2, outOfRange) }, .timeOutOfRange),
    ({ $0.fixed64(2, 1) }, nil),
    ({ $0.fixed64(3, baseUnixNs + 11) }, .timeOutsideWindow),
    ({ $0.fixed64(3, 0) }, .timeOutsideWindow),
]

@Test(arguments: [5, 7, 9, 10, 11], pointFaults.indices)
func pointFault(kind: Int, index: Int) throws {
    let (change, fault) = pointFaults[index]
    let bytes = request { scope in
        scope.metric(kind: kind) { data in
            for isChanged in [false, true, false] {
                data.message(1) { point in
                    point.fixed64(3, baseUnixNs)
                    if isChanged { change(&point) }
                }
            }
        }
    }
    let (tally, ordinals) = try emitted(.metrics, bytes)
    #expect(tally.firstFault == fault)
    #expect(ordinals == (fault == nil ? [0, 1, 2] : [0, 2]))
}

// Goal: a fault above items takes all of them, and nothing of it reaches the dimension tables.
// Method: the same shape three times, the middle one at fault, at each level.
@Test(arguments: ["resource", "scope"])
func aFaultAboveSpansTakesAllOfThem(level: String) throws {
    let bytes = WireWriter { request in
        for index in 0..<3 {
            let text = index == 1 ? "\0" : "fine \(index)"
            request.message(1) { envelope in
                envelope.message(1) {
                    $0.attributes(1, ["k": .string(level == "resource" ? text : "same")])
                }
                for part in 0..<2 {
                    envelope.message(2) { scope in
                        scope.message(1) {
                            $0.text(1, level == "scope" && part == 0 ? text : "library")
                        }
                        scope.span(name: "span \(index)")
                        scope.span(name: "span \(index)")
                    }
                }
            }
        }
    }.bytes
    var resolved = try Resolved(.traces, bytes)
    #expect(resolved.builder.missing.resources.count == (level == "resource" ? 2 : 1))
    #expect(resolved.builder.missing.scopes.count == (level == "resource" ? 1 : 3))
    #expect(resolved.builder.missing.operations.count == (level == "resource" ? 2 : 3))
    resolved.learn()
    let (tally, rows) = resolved.emit(window: window)
    let lost = level == "resource" ? [4, 5, 6, 7] : [4, 5]
    #expect(rows.itemOrdinals == (0..<12).filter { !lost.contains($0) })
    #expect(tally?.rejectedItemCount == lost.count && tally?.firstFault == .nulInText)
}

@Test(arguments: [5, 9])
func aFaultInAMetricTakesItsPoints(kind: Int) throws {
    let bytes = request { scope in
        for name in ["a", "b\0", "c"] {
            scope.metric(name: name, kind: kind) { data in
                for _ in 0..<2 {
                    data.message(1) { point in
                        point.fixed64(3, baseUnixNs)
                        if kind == 9 { point.double(7, Double(name.utf8.count)) }
                    }
                }
            }
        }
    }
    var resolved = try Resolved(.metrics, bytes)
    #expect(resolved.builder.missing.metrics.count == 2)
    #expect(resolved.builder.missing.bounds.count == (kind == 9 ? 1 : 0))
    resolved.learn()
    #expect(resolved.builder.missing.series.count == 2)
    resolved.learn()
    let (tally, rows) = resolved.emit(window: window)
    #expect(rows.itemOrdinals == [0, 1, 4, 5])
    #expect(tally?.rejectedItemCount == 2)
}

@Test(arguments: [
    (UInt64(100), UInt64(10), UInt64(5), UInt64(90), UInt64(105)), (5, 10, 0, 0, 5),
    (UInt64(Int64.max) - 1, 0, 10, UInt64(Int64.max) - 1, UInt64(Int64.max)),
    (UInt64.max, 0, 0, UInt64(Int64.max), UInt64(Int64.max)),
])
func acceptWindow(
    nowUnixNs: UInt64, pastNs: UInt64, futureNs: UInt64, minUnixNs: UInt64, maxUnixNs: UInt64
) {
    let window = AcceptWindow(nowUnixNs: nowUnixNs, pastNs: pastNs, futureNs: futureNs)
    #expect(window == AcceptWindow(minUnixNs: minUnixNs, maxUnixNs: maxUnixNs))
    #expect(
        window.contains(minUnixNs) && window.contains(maxUnixNs) && !window.contains(maxUnixNs + 1))
    if minUnixNs > 0 { #expect(!window.contains(minUnixNs - 1)) }
}

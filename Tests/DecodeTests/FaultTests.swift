// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: a text fault is found in every string field and noted at its level and ordinal, and costs
// nothing else.

private let bad: [UInt8] = [0x61, 0xFF]
private let nul: [UInt8] = [0x61, 0x00, 0x62]

/// Which ordinals have a fault, by level.
private struct Noted: Equatable {
    var resources: [Int: ItemFault] = [:]
    var scopes: [Int: ItemFault] = [:]
    var metrics: [Int: ItemFault] = [:]
    var items: [Int: ItemFault] = [:]

    init() {}

    init(_ faults: borrowing ItemFaults) {
        for ordinal in -1..<40 {
            resources[ordinal] = faults.resourceFault(ordinal)
            scopes[ordinal] = faults.scopeFault(ordinal)
            metrics[ordinal] = faults.metricFault(ordinal)
            items[ordinal] = faults.itemFault(ordinal)
        }
    }

    static func resource(_ ordinal: Int, _ fault: ItemFault = .invalidUTF8) -> Noted {
        var noted = Noted()
        noted.resources[ordinal] = fault
        return noted
    }

    static func scope(_ ordinal: Int, _ fault: ItemFault = .invalidUTF8) -> Noted {
        var noted = Noted()
        noted.scopes[ordinal] = fault
        return noted
    }

    static func metric(_ ordinal: Int, _ fault: ItemFault = .invalidUTF8) -> Noted {
        var noted = Noted()
        noted.metrics[ordinal] = fault
        return noted
    }

    static func item(_ ordinal: Int, _ fault: ItemFault = .invalidUTF8) -> Noted {
        var noted = Noted()
        noted.items[ordinal] = fault
        return noted
    }
}

private func noted(_ bytes: [UInt8], _ signal: Signal) throws -> Noted {
    let export = try decode(bytes, signal)
    #expect(export.faults.isEmpty == (Noted(export.faults) == Noted()))
    return Noted(export.faults)
}

private typealias Part = @Sendable (inout WireWriter) -> Void

private struct FaultCase: Sendable, CustomTestStringConvertible {
    let name: String
    let signal: Signal
    /// Writes the faulty string, as a field of the message of the level.
    let part: Part
    var testDescription: String { name }
}

/// An attribute as field `number`, with `text` as key or as value.
private func pairs(_ number: Int, _ name: String, _ signal: Signal) -> [FaultCase] {
    [
        FaultCase(name: "\(name) key", signal: signal) {
            $0.message(number) {
                $0.bytes(1, bad)
                $0.message(2)
            }
        },
        FaultCase(name: "\(name) value", signal: signal) {
            $0.attribute(number, "k") { $0.bytes(1, bad) }
        },
        FaultCase(name: "\(name) value before key", signal: signal) {
            $0.message(number) {
                $0.message(2) { $0.bytes(1, bad) }
                $0.text(1, "k")
            }
        },
        FaultCase(name: "\(name) in array", signal: signal) {
            $0.attribute(number, "k") { $0.message(5) { $0.message(1) { $0.bytes(1, bad) } } }
        },
        FaultCase(name: "\(name) in list", signal: signal) {
            $0.attribute(number, "k") { $0.message(6) { $0.message(1) { $0.bytes(1, bad) } } }
        },
    ]
}

private func field(_ number: Int, _ name: String, _ signal: Signal) -> FaultCase {
    FaultCase(name: name, signal: signal) { $0.bytes(number, bad) }
}

private func inside(_ number: Int, _ cases: [FaultCase]) -> [FaultCase] {
    cases.map { inner in
        FaultCase(name: inner.name, signal: inner.signal) { $0.message(number, inner.part) }
    }
}

/// Faults in a `Resource…` envelope.
private let resourceCases: [FaultCase] = Signal.allCases.flatMap { signal in
    [field(3, "schema_url of resource", signal)]
        + inside(1, pairs(1, "resource attribute", signal))
        + inside(
            1,
            inside(
                3,
                [
                    field(1, "entity schema_url", signal), field(2, "entity type", signal),
                    field(3, "entity id_keys", signal), field(4, "entity description_keys", signal),
                ]))
}

/// Faults in a `Scope…` envelope.
private let scopeCases: [FaultCase] = Signal.allCases.flatMap { signal in
    [field(3, "schema_url of scope", signal)]
        + inside(
            1,
            [field(1, "scope name", signal), field(2, "scope version", signal)]
                + pairs(3, "scope attribute", signal))
}

private let metricCases: [FaultCase] =
    [
        field(1, "metric name", .metrics), field(2, "description", .metrics),
        field(3, "unit", .metrics),
    ] + pairs(12, "metadata", .metrics)

/// Faults in a span or a log record.
private let itemCases: [FaultCase] =
    [field(3, "trace_state", .traces), field(5, "span name", .traces)]
    + inside(15, [field(2, "status message", .traces)])
    + pairs(9, "span attribute", .traces)
    + inside(11, [field(2, "event name", .traces)] + pairs(3, "event attribute", .traces))
    + inside(13, [field(3, "link trace_state", .traces)] + pairs(4, "link attribute", .traces))
    + [field(3, "severity_text", .logs), field(12, "event_name", .logs)]
    + inside(5, [field(1, "body", .logs)])
    + pairs(6, "log attribute", .logs)

/// Attributes of points and of their exemplars: (field of the metric's data, attributes,
/// exemplars).
private let pointCases: [(data: Int, fault: FaultCase)] = [
    (5, 7, 5), (7, 7, 5), (9, 9, 8), (10, 1, 11), (11, 7, nil as Int?),
].flatMap { data, attributes, exemplars in
    let cases =
        pairs(attributes, "attribute of data \(data)", .metrics)
        + (exemplars.map { inside($0, pairs(7, "exemplar of data \(data)", .metrics)) } ?? [])
    return cases.map { (data, $0) }
}

@Test(arguments: resourceCases)
private func resourceFaults(_ fault: FaultCase) throws {
    let bytes = WireWriter { request in
        request.message(1) { $0.message(2) { $0.message(2) } }
        request.message(1) { group in
            group.message(2) { $0.message(2) }
            fault.part(&group)
            group.message(2)
        }
        request.message(1)
    }.bytes
    #expect(try noted(bytes, fault.signal) == .resource(1))
}

@Test(arguments: scopeCases)
private func scopeFaults(_ fault: FaultCase) throws {
    let bytes = WireWriter { request in
        request.message(1) { $0.message(2) }
        request.message(1) { group in
            group.message(2) { $0.message(2) }
            group.message(2) { scope in
                scope.message(2)
                fault.part(&scope)
                scope.message(2)
            }
            group.message(2)
        }
    }.bytes
    #expect(try noted(bytes, fault.signal) == .scope(2))
}

@Test(arguments: metricCases)
private func metricFaults(_ fault: FaultCase) throws {
    let bytes = WireWriter { request in
        request.message(1) { $0.message(2) { $0.message(2) } }
        request.message(1) {
            $0.message(2) { scope in
                scope.message(2) { $0.message(5) { $0.message(1) } }
                scope.message(2) { metric in
                    metric.message(5) { $0.message(1) }
                    fault.part(&metric)
                }
                scope.message(2)
            }
        }
    }.bytes
    #expect(try noted(bytes, .metrics) == .metric(2))
}

@Test(arguments: itemCases)
private func itemFaults(_ fault: FaultCase) throws {
    let bytes = WireWriter { request in
        request.message(1) { $0.message(2) { $0.message(2) } }
        request.message(1) {
            $0.message(2) { scope in
                scope.message(2)
                scope.message(2) { item in
                    item.message(fault.signal == .traces ? 9 : 6)
                    fault.part(&item)
                }
                scope.message(2)
            }
        }
    }.bytes
    #expect(try noted(bytes, fault.signal) == .item(2))
}

@Test(arguments: pointCases.indices)
private func pointFaults(_ index: Int) throws {
    let (data, fault) = pointCases[index]
    let bytes = request { scope in
        scope.message(2) { $0.message(5) { $0.message(1) } }
        scope.message(2) {
            $0.message(data) { data in
                data.message(1)
                data.message(1, fault.part)
                data.message(1)
            }
        }
    }
    #expect(try noted(bytes, .metrics) == .item(2))
}

@Test func nulIsToldFromInvalidUTF8() throws {
    let bytes = request { scope in
        scope.span()
        scope.message(2) { $0.bytes(5, nul) }
        scope.message(2) { $0.bytes(5, bad) }
        // Only the first fault of an item is kept.
        scope.message(2) {
            $0.bytes(5, nul)
            $0.bytes(3, bad)
        }
    }
    var expected = Noted()
    expected.items = [1: .nulInText, 2: .invalidUTF8, 3: .nulInText]
    #expect(try noted(bytes, .traces) == expected)
}

// Goal: texts of every length are checked to their end, wherever the short cut for attributes gives
// way to the general scan. Method: lengths around its limits, with the last byte good and bad, as
// key and as value.
@Test func textsOfEveryLength() throws {
    for count in Array(1...40) + Array(120...140) + [255, 256, 300, 16_383, 16_384, 20_000] {
        for last in [UInt8(0x61), 0xFF] {
            let content = [UInt8](repeating: 0x61, count: count - 1) + [last]
            let asKey = request {
                $0.span {
                    $0.message(9) {
                        $0.bytes(1, content)
                        $0.message(2)
                    }
                }
            }
            let asValue = request { $0.span { $0.attribute(9, "k") { $0.bytes(1, content) } } }
            for bytes in [asKey, asValue] {
                #expect(
                    try noted(bytes, .traces) == (last == 0xFF ? .item(0) : Noted()), "\(count)")
            }
        }
    }
}

@Test func bytesFieldsAreNotText() throws {
    let traces = request {
        $0.message(2) { span in
            for number in [1, 2, 4] { span.bytes(number, bad) }
            span.attribute(9, "k") { $0.bytes(7, nul) }
            span.message(13) { for number in [1, 2] { $0.bytes(number, nul) } }
        }
    }
    #expect(try noted(traces, .traces) == Noted())
    let logs = request { $0.message(2) { for number in [9, 10] { $0.bytes(number, bad) } } }
    #expect(try noted(logs, .logs) == Noted())
    let metrics = request {
        $0.message(2) {
            $0.message(5) {
                $0.message(1) { $0.message(5) { for number in [4, 5] { $0.bytes(number, nul) } } }
            }
        }
    }
    #expect(try noted(metrics, .metrics) == Noted())
}

@Test func unknownFieldsAreNotText() throws {
    let bytes = request { $0.span { $0.bytes(99, nul) } }
    #expect(try noted(bytes, .traces) == Noted())
}

@Test func validTextBeyondASCIIHasNoFault() throws {
    let bytes = request { $0.span { $0.attribute(9, "größe") { $0.text(1, "日本語 🚀") } } }
    #expect(try noted(bytes, .traces) == Noted())
    let span = try decode(bytes)
    let pair = span.resourceSpans[0].scopeSpans[0].spans[0].attributes[0]
    #expect(pair.key.string == "größe")
}

// Goal: faults are found again among many, and are paid for from the budget.
@Test func manyFaults() throws {
    let bytes = request { scope in
        for index in 0..<1_000 {
            scope.message(2) { $0.bytes(5, index % 3 == 0 ? bad : [0x61]) }
        }
    }
    let budget = MemoryBudget(limitBytes: 1 << 20)
    do {
        let export = try decode(bytes, budget: budget)
        for index in 0..<1_000 {
            #expect(export.faults.itemFault(index) == (index % 3 == 0 ? .invalidUTF8 : nil))
        }
        #expect(export.faults.itemFault(1_000) == nil)
        #expect(budget.inUseBytes == export.heldSizeBytes)
    }
    #expect(budget.inUseBytes == 0)
}

@Test func faultsBeyondTheBudgetAreNotARefusal() {
    let bytes = request { $0.message(2) { $0.bytes(5, bad) } }
    let budget = MemoryBudget(limitBytes: 1 << 20)
    #expect(budget.tryReserve(budget.limitBytes))
    #expect(throws: DecodeError.overBudget) { _ = try decode(bytes, budget: budget) }
    #expect(budget.inUseBytes == budget.limitBytes)
}

@Test func everyFaultHasASentence() {
    for raw in UInt8(0)... {
        guard let fault = ItemFault(rawValue: raw) else { break }
        #expect(!fault.description.isEmpty)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

import struct OTLPFixtures.Walk

@testable import Decode

// Goal: the request of a single item holds that item, what it belongs to, and nothing else. Method:
// requests of two resources by two scopes, taken apart and compared with what is written by hand;
// and random requests, whose parts must add up.

/// The bytes of the requests of some items, in order.
private func packed(_ export: borrowing Export, _ ordinals: some Sequence<Int>) -> [[UInt8]] {
    var packer = SingleItemPacker()
    packer.begin()
    var requests: [[UInt8]] = []
    for ordinal in ordinals {
        _ = packer.select(ordinal, of: export)
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: packer.sizeBytes + 1, alignment: 1)
        defer { unsafe memory.deallocate() }
        unsafe memory[packer.sizeBytes] = 0xa5
        unsafe packer.pack(into: memory.baseAddress!)
        #expect(unsafe memory[packer.sizeBytes] == 0xa5)
        requests.append(unsafe Array(memory.dropLast()))
    }
    return requests
}

/// Bytes of one item as a field of its scope (or of its metric's data), by place and number.
private typealias Item = @Sendable (_ writer: inout WireWriter, _ place: String) -> Void

/// What surrounds the items of one scope.
private struct Envelope {
    let resource: Int
    let scope: Int

    func write(_ request: inout WireWriter, _ body: (inout WireWriter) -> Void) {
        request.message(1) { group in
            group.message(1) { $0.attribute(1, "service.name") { $0.text(1, "shop \(resource)") } }
            group.message(2) { scopeWriter in
                scopeWriter.message(1) { $0.text(1, "scope \(resource).\(scope)") }
                body(&scopeWriter)
                scopeWriter.text(3, "scope schema \(resource).\(scope)")
            }
            group.text(3, "resource schema \(resource)")
        }
    }
}

@Sendable private func writeSpan(_ writer: inout WireWriter, _ place: String) {
    writer.message(2) { span in
        span.bytes(1, [UInt8](repeating: 7, count: 16))
        span.bytes(2, [1, 2])  // not valid, and kept
        span.text(5, place)
        span.fixed64(7, 1)
        span.attribute(9, "a\0b")
        span.message(11) { $0.text(2, "event \(place)") }
        span.message(13) { $0.text(3, "link \(place)") }
        span.message(15) { $0.number(3, 2) }
        span.fixed32(16, 0x101)
    }
}

@Sendable private func writeRecord(_ writer: inout WireWriter, _ place: String) {
    writer.message(2) { record in
        record.fixed64(1, 5)
        record.number(2, 9)
        record.message(5) { $0.bytes(1, [0xff, 0xfe]) }  // no UTF-8
        record.attribute(6, place)
        record.fixed64(11, 6)
        record.text(12, place)
    }
}

/// Field of the data in `Metric`, what follows the points in it, and one point.
private let metricKinds: [(field: Int, tail: @Sendable (inout WireWriter) -> Void, point: Item)] = [
    (
        5, { _ in },
        { writer, place in
            writer.message(1) {
                $0.fixed64(3, 1)
                $0.double(4, 0)  // a zero that is set
                $0.attribute(7, place)
            }
        }
    ),
    (
        7,
        {
            $0.number(2, 2)
            $0.number(3, 1)
        },
        { writer, place in
            writer.message(1) {
                $0.fixed64(3, 1)
                $0.message(5) { $0.fixed64(6, 3) }
                $0.fixed64(6, 8)
                $0.attribute(7, place)
            }
        }
    ),
    (
        9, { $0.number(2, 1) },
        { writer, place in
            writer.message(1) {
                $0.fixed64(3, 1)
                $0.fixed64(4, 2)
                $0.double(5, 0)  // optional, set
                $0.packedFixed64(6, [1, 1])
                $0.packedFixed64(7, [0x3ff0_0000_0000_0000])
                $0.attribute(9, place)
                $0.double(12, 4)
            }
        }
    ),
    (
        10, { $0.number(2, 2) },
        { writer, place in
            writer.message(1) {
                $0.attribute(1, place)
                $0.fixed64(3, 1)
                $0.fixed64(4, 2)
                $0.number(6, 3)
                $0.message(8) {
                    $0.number(1, 1)
                    $0.bytes(2, [1, 2, 3])
                }
            }
        }
    ),
    (
        11, { _ in },
        { writer, place in
            writer.message(1) {
                $0.fixed64(3, 1)
                $0.message(6) { $0.double(1, 0.5) }
                $0.attribute(7, place)
            }
        }
    ),
]

private func writeMetric(
    _ writer: inout WireWriter, _ kind: Int, _ name: String, _ places: [String]
) {
    let (field, tail, point) = metricKinds[kind]
    writer.message(2) { metric in
        metric.text(1, name)
        metric.text(3, "ms")
        metric.message(field) { data in
            for place in places { point(&data, place) }
            tail(&data)
        }
        metric.attribute(12, "metadata")
    }
}

@Test(arguments: [Signal.traces, .logs])
func itemsStandAlone(signal: Signal) throws {
    let write = signal == .traces ? writeSpan : writeRecord
    var whole = WireWriter()
    var expected: [[UInt8]] = []
    for resource in 0..<2 {
        for scope in 0..<2 {
            let envelope = Envelope(resource: resource, scope: scope)
            let places = (0..<3).map { "\(resource).\(scope).\($0)" }
            envelope.write(&whole) { writer in for place in places { write(&writer, place) } }
            envelope.write(&whole) { _ in }  // a scope without items
            for place in places {
                expected.append(
                    WireWriter { envelope.write(&$0) { write(&$0, place) } }.bytes)
            }
        }
        whole.message(1)  // a resource without scopes
    }
    let export = try decode(whole.bytes, signal)
    #expect(export.itemCount == 12)
    #expect(packed(export, 0..<12) == expected)
    #expect(packed(export, [3, 3, 10]) == [expected[3], expected[3], expected[10]])
}

@Test func pointsStandAlone() throws {
    var whole = WireWriter()
    var expected: [[UInt8]] = []
    for resource in 0..<2 {
        let envelope = Envelope(resource: resource, scope: 0)
        envelope.write(&whole) { writer in
            for kind in metricKinds.indices {
                let name = "metric \(resource).\(kind)"
                let places = (0..<3).map { "\(name).\($0)" }
                writer.message(2) { $0.text(1, "no data") }
                writeMetric(&writer, kind, name, places)
                writeMetric(&writer, kind, name, [])
                for place in places {
                    expected.append(
                        WireWriter {
                            envelope.write(&$0) { writeMetric(&$0, kind, name, [place]) }
                        }.bytes)
                }
            }
        }
    }
    let export = try decode(whole.bytes, .metrics)
    #expect(export.itemCount == expected.count)
    #expect(packed(export, 0..<expected.count) == expected)
    #expect(packed(export, [29]) == [expected[29]])
}

@Test func unknownFieldsOfEnvelopesAreLeftOut() throws {
    let span = WireWriter { $0.span { $0.text(99, "unknown") } }.bytes
    let whole = WireWriter { request in
        request.message(1) { group in
            group.message(2) {
                $0.raw(span)
                $0.text(99, "unknown")
            }
            group.text(99, "unknown")
        }
    }.bytes
    let expected = WireWriter { $0.message(1) { $0.message(2) { $0.raw(span) } } }.bytes
    #expect(packed(try decode(whole), 0..<1) == [expected])
}

@Test(arguments: Signal.allCases)
func randomRequestsTakenApart(signal: Signal) throws {
    for seed in 0..<UInt64(300) {
        var request = RandomRequest(seed: seed)
        let export = try decode(request.bytes(signal), signal)
        let singles = packed(export, 0..<export.itemCount)
        for single in singles {
            let alone = try decode(single, signal)
            try #require(alone.itemCount == 1 && Walk(alone).itemCount == 1, "\(signal) \(seed)")
            try #require(packed(alone, 0..<1) == [single], "\(signal) \(seed)")
        }
    }
}

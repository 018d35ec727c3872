// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import Testing

@testable import Collector

/// Lets exports be kept in arrays.
private final class ExportHolder {
    let export: Export
    init(_ export: consuming Export) { self.export = export }
}

@Suite struct TelemetryTemplatesTests {
    private let budget = MemoryBudget(limitBytes: 1 << 28)

    private func decode(_ request: [UInt8], _ signal: Signal) throws -> Export {
        var body = OwnedBytes(budget: budget)
        unsafe request.withUnsafeBytes { bytes in
            _ = body.append(unsafe ByteSlice(bytes), limitBytes: 1 << 26)
        }
        return try Decoder.decode(
            signal: signal, body: body.slice, limits: DecodeLimits(requestSizeBytesMax: 1 << 26),
            budget: budget)
    }

    @Test(arguments: Signal.allCases, [1, 8, 513])
    func requestsDecodeToAsManyItemsAsAskedFor(signal: Signal, itemCount: Int) throws {
        var source = TelemetryTemplates(seed: 7)
        let template = source.request(signal, itemCount: itemCount)
        let export = try decode(
            template.instantiate(seed: 7, firstSerial: 0, unixNs: 1_700_000_000_000_000_000), signal
        )
        #expect(export.itemCount == itemCount)
        let isClean = export.faults.isEmpty
        #expect(isClean)
    }

    @Test func spansOfATraceShareItsIDAndNameTheirParents() throws {
        var source = TelemetryTemplates(seed: 7)
        let template = source.request(.traces, itemCount: 16)
        let export = try decode(template.instantiate(seed: 7, firstSerial: 16, unixNs: 1), .traces)
        let spans = Array(export.resourceSpans[0].scopeSpans[0].spans)
        #expect(Set(spans[0..<8].map(\.traceID.string)).count == 1)
        #expect(!spans[0].traceID.elementsEqual(spans[8].traceID))
        #expect(spans[8].parentSpanID.isEmpty)
        #expect(spans[9].parentSpanID.elementsEqual(spans[8].spanID))
        #expect(Set(spans.map { unsafe Array($0.spanID.buffer) }).count == 16)
    }

    @Test func aSeedGivesTheSameIDsInEveryRun() {
        let requests = (0..<2).map { _ in
            var source = TelemetryTemplates(seed: 9)
            return source.request(.logs, itemCount: 20).instantiate(
                seed: 9, firstSerial: 40, unixNs: 5)
        }
        #expect(requests[0] == requests[1])
    }

    /// The requests of the first `itemCount` items that are sent.
    private func exports(
        _ signal: Signal, itemCount: Int, batchItemCount: Int, shape: TelemetryShape
    ) throws -> [ExportHolder] {
        var source = TelemetryTemplates(seed: 7, shape: shape)
        let template = source.request(signal, itemCount: batchItemCount)
        return try stride(from: 0, to: itemCount, by: batchItemCount).map { first in
            let request = template.instantiate(seed: 7, firstSerial: first, unixNs: 1)
            return ExportHolder(try decode(request, signal))
        }
    }

    @Test(arguments: [(1, 1), (3, 1), (64, 8), (1_000, 64)])
    func resourcesComeInTurn(count: Int, perRequest: Int) throws {
        var shape = TelemetryShape()
        shape.resources = .init(count: count, itemsEach: 64 / perRequest)
        let requestCount = 2 * (count + perRequest - 1) / perRequest
        let exports = try exports(
            .traces, itemCount: requestCount * 64, batchItemCount: 64, shape: shape)
        var seen: [String: Int] = [:]
        for holder in exports {
            #expect(holder.export.resourceSpans.count == perRequest)
            for envelope in holder.export.resourceSpans {
                let resource = try #require(envelope.resource)
                seen[attributes(of: resource), default: 0] += envelope.scopeSpans[0].spans.count
            }
        }
        #expect(seen.count == count)
        #expect(seen.values.reduce(0, +) == requestCount * 64)
    }

    private func attributes(of resource: ResourceView) -> String {
        resource.attributes.map { pair in
            guard case .string(let text)? = pair.value?.kind else { return pair.key.string }
            return "\(pair.key.string)=\(text.string)"
        }.joined(separator: ",")
    }

    @Test(arguments: [1, 5, 7, 200])
    func operationsComeInTurn(count: Int) throws {
        var shape = TelemetryShape()
        shape.operationCount = count
        let exports = try exports(.traces, itemCount: 400, batchItemCount: 100, shape: shape)
        var seen: [String: Int] = [:]
        for holder in exports {
            for span in holder.export.resourceSpans[0].scopeSpans[0].spans {
                #expect((1...5).contains(span.kind))
                seen["\(span.name.string) \(span.kind)", default: 0] += 1
            }
        }
        #expect(seen.count == count)
        #expect(seen.values.allSatisfy { $0 >= 400 / count })
    }

    @Test(arguments: [
        (TelemetryShape.Points.all, 30, 10), (.number, 40, 0), (.histogram, 0, 40),
    ])
    func pointsAreOfTheKindsThatAreWanted(
        points: TelemetryShape.Points, numberCount: Int, histogramCount: Int
    ) throws {
        var shape = TelemetryShape()
        shape.points = points
        let exports = try exports(.metrics, itemCount: 40, batchItemCount: 20, shape: shape)
        var counts = (number: 0, histogram: 0)
        for holder in exports {
            for metric in holder.export.resourceMetrics[0].scopeMetrics[0].metrics {
                if case .histogram = metric.data {
                    counts.histogram += metric.pointCount
                } else {
                    counts.number += metric.pointCount
                }
            }
        }
        #expect(counts == (numberCount, histogramCount))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import Testing

@testable import Collector

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
}

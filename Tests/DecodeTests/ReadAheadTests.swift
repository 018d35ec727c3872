// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: fetching ahead is harmless whatever a request looks like: at the end of lists, with fields
// in any order, with attributes that are missing or large. Method: every position of many requests
// (with `--sanitize address` it shows what is read to find out where to fetch).
@Suite struct ReadAheadTests {
    @Test func everyPositionOfRandomRequests() throws {
        var positionCount = 0
        for seed in 0..<UInt64(300) {
            var random = RandomRequest(seed: seed)
            let traces = try decode(random.bytes(.traces), .traces)
            for scope in traces.resourceSpans.flatMap({ Array($0.scopeSpans) }) {
                for position in scope.spans.indices {
                    scope.spans.fetchNames(behind: position)
                    scope.spans.fetch(behind: position)
                    positionCount += 1
                }
            }
            let logs = try decode(random.bytes(.logs), .logs)
            for scope in logs.resourceLogs.flatMap({ Array($0.scopeLogs) }) {
                for position in scope.logRecords.indices {
                    scope.logRecords.fetch(behind: position)
                    positionCount += 1
                }
            }
        }
        #expect(positionCount > 300)
    }

    @Test func fieldsInAnotherOrderAndLargeOnes() throws {
        let text = String(repeating: "x", count: 5_000)
        let bytes = request { scope in
            for index in 0..<20 {
                scope.message(2) { span in
                    for key in 0..<index { span.attribute(9, "k\(key)") { $0.text(1, text) } }
                    span.fixed64(7, 1)
                    span.text(5, index % 2 == 0 ? "" : text)
                    span.bytes(2, [UInt8](repeating: 2, count: 8))
                    span.bytes(1, [UInt8](repeating: 1, count: 16))
                }
            }
        }
        let export = try decode(bytes, .traces)
        let spans = export.resourceSpans[0].scopeSpans[0].spans
        for position in spans.indices {
            spans.fetchNames(behind: position)
            spans.fetch(behind: position)
        }
        #expect(spans.map(\.attributes.count) == Array(0..<20))
    }
}

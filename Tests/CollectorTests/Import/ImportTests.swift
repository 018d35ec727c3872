// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

@Suite struct ImportTests {
    /// What an outline says of `text`, and of how many bytes it took.
    private static func outline(
        _ text: String
    ) -> (signal: Signal?, count: Int?, fault: String?) {
        var outline = JSONOutline()
        for (index, byte) in text.utf8.enumerated() {
            if let fault = outline.take(byte) { return (outline.signal, nil, fault) }
            if outline.isComplete { return (outline.signal, index + 1, nil) }
        }
        return (outline.signal, nil, nil)
    }

    @Test(
        arguments: [
            ("{}", nil, 2), ("{\"resourceSpans\":[]}{", .traces, 20),
            ("{ \"resource_logs\" : [ {\"a\":\"}\"} ] } x", .logs, 35),
            // Names within, and values, say nothing.
            ("{\"a\":{\"resourceLogs\":1},\"b\":\"resourceSpans\"}", nil, 44),
            ("{\"a\":\"\\\"}\",\"resourceMetrics\":[[]]}", .metrics, 34),
            ("{\"resourceSpansX\":1}", nil, 20),
            ("{\"resourceSpans\":[", .traces, nil), ("{\"a\":\"}", nil, nil),
        ] as [(String, Signal?, Int?)])
    func anObjectIsOutlined(_ text: String, _ signal: Signal?, _ count: Int?) {
        let found = ImportTests.outline(text)
        #expect(found.signal == signal && found.count == count && found.fault == nil)
    }

    @Test func aStringEndsOnItsLine() {
        #expect(ImportTests.outline("{\"a\n\":1}").fault != nil)
        #expect(ImportTests.outline("{\n\"a\":1}").fault == nil)
    }

    @Test(arguments: Signal.allCases)
    func itemsAreCounted(_ signal: Signal) {
        for count in [1, 5, 64] {
            let message = SampleRequests(signal, count: 1, itemCount: count, seed: 1)
                .message(0, unixNs: 1)
            let found = unsafe message.withUnsafeBytes {
                ImportItems.count(unsafe ByteSlice($0), signal)
            }
            #expect(found == count)
            let cut = unsafe message.withUnsafeBytes {
                ImportItems.count(
                    unsafe ByteSlice($0).slice(offset: 0, count: message.count - 1), signal)
            }
            #expect(cut == nil)
        }
    }
}

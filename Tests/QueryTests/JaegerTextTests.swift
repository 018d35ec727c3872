// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

/// What Jaeger's clients write in parameters.
struct JaegerTextTests {
    private static let digits = "0a0b0c0d0e0f000102030405060708ff"

    @Test(arguments: [
        digits, digits.uppercased(), String(digits.dropFirst()), "CgsMDQ4PAAECAwQFBgcI/w==",
        "CgsMDQ4PAAECAwQFBgcI/w", "CgsMDQ4PAAECAwQFBgcI_w==",
    ])
    func traceIDs(written: String) {
        #expect(TraceID(jaeger: written)?.text == JaegerTextTests.digits)
    }

    @Test(arguments: [
        "", "0", "x", digits + "0", "CgsMDQ4PAAECAwQFBgcI/w=", "CgsMDQ4PAAECAwQFBgcI/w===",
        "AAAAAAAAAAAAAAAAAAAAAA==", "CgsMDQ4PAAECAwQFBgcI w==",
    ])
    func noTraceIDs(written: String) { #expect(TraceID(jaeger: written) == nil) }

    @Test(arguments: [
        ("0", 0), ("1.2s", 1_200_000_000), ("100ms", 100_000_000), ("1h2m3.5s", 3_723_500_000_000),
        ("15us", 15_000), ("15µs", 15_000), ("7ns", 7), (".5ms", 500_000), ("+1s", 1_000_000_000),
    ])
    func durations(text: String, ns: Int64) { #expect(JaegerDuration.ns(text) == ns) }

    @Test(arguments: ["", "5", "s", "1 s", "-1s", "1d", "1.2.3s", "1s2", "1e3s", "99999999999h"])
    func noDurations(text: String) { #expect(JaegerDuration.ns(text) == nil) }

    @Test func tags() {
        #expect(
            JaegerSearch.tags(json: #"{"a":"b","n":1.50,"t":true}"#)?.map {
                "\($0.key)=\($0.value)"
            }
                == ["a=b", "n=1.50", "t=true"])
        for text in ["", "[]", "{", #"{"a":null}"#, #"{"a":{}}"#, #"{"a":"b"} x"#] {
            #expect(JaegerSearch.tags(json: text) == nil)
        }
    }

    @Test func ranges() {
        var search = JaegerSearch(startUnixNs: 1_000, endUnixNs: 2_999)
        #expect(search.bounded(rangeNsMax: 1_000).warnings.isEmpty)
        search.startUnixNs = 999
        let (cut, warnings) = search.bounded(rangeNsMax: 1_000)
        #expect(cut.startUnixNs == 1_999 && warnings.count == 1)
        search.limit = JaegerSearch.limitMax + 1
        #expect(search.bounded(rangeNsMax: .max).search.limit == JaegerSearch.limitMax)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Web

// Goal: the page of metrics is what Prometheus reads, and lacks no counter. Method: tables of what
// has to be escaped, and a page of known values taken apart.

@Suite struct MetricsTextTests {
    @Test(arguments: [
        ("plain", "plain", "plain"),
        ("a\\b", "a\\\\b", "a\\\\b"),
        ("a\nb", "a\\nb", "a\\nb"),
        ("say \"x\"", "say \"x\"", "say \\\"x\\\""),
        ("\\\n\"", "\\\\\\n\"", "\\\\\\n\\\""),
        ("größe", "größe", "größe"),
    ])
    func escaping(text: String, inHelp: String, inLabel: String) {
        #expect(MetricsText.escaped(text, quotes: false) == inHelp)
        #expect(MetricsText.escaped(text, quotes: true) == inLabel)
    }

    @Test(
        arguments: [
            (0, "0"), (1, "1"), (-1, "-1"), (0.0005, "0.0005"), (2.5, "2.5"),
            (1e14, "100000000000000"),
            (1e15, "1000000000000000.0"), (1e16, "1e+16"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (.nan, "NaN"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) { #expect(MetricsText.number(value) == text) }

    @Test func familyAndSamples() {
        var page = MetricsText()
        page.family("a_total", .counter, "Says \\ \"how\"\nmuch.")
        page.sample("a_total", [], 1)
        page.sample("a_total", [("b", "c\"d"), ("e", "")], 2.5)
        #expect(
            page.text == """
                # HELP a_total Says \\\\ "how"\\nmuch.
                # TYPE a_total counter
                a_total 1
                a_total{b="c\\"d",e=""} 2.5

                """)
    }

    @Test func histogramIsCumulated() {
        let histogram = Histogram()
        for durationNs: UInt64 in [500_000, 500_001, 1_000_000, 30_000_000_001] {
            histogram.record(durationNs)
        }
        var page = MetricsText()
        page.histogram("h", [("s", "x")], histogram.snapshot)
        let lines = page.text.split(separator: "\n")
        #expect(lines.count == DurationBuckets.count + 2)
        #expect(lines[0] == "h_bucket{s=\"x\",le=\"0.0005\"} 1")
        #expect(lines[1] == "h_bucket{s=\"x\",le=\"0.001\"} 3")
        #expect(lines[DurationBuckets.count - 2] == "h_bucket{s=\"x\",le=\"30\"} 3")
        #expect(lines[DurationBuckets.count - 1] == "h_bucket{s=\"x\",le=\"+Inf\"} 4")
        #expect(lines[DurationBuckets.count] == "h_sum{s=\"x\"} 30.002000002")
        #expect(lines[DurationBuckets.count + 1] == "h_count{s=\"x\"} 4")
    }
}

@Suite struct MetricsPageTests {
    @Test func everyCounterHasOnePlace() {
        var daemon = DaemonObservation()
        daemon.counters = Counters()
        for (index, counter) in Counter.allCases.enumerated() {
            daemon.counters.add(counter, 1_000_000 + index)
        }
        let lines = MetricsPage.text(daemon).split(separator: "\n")
        for (index, counter) in Counter.allCases.enumerated() {
            let own = lines.filter {
                $0.hasPrefix("starling_") && $0.hasSuffix(" \(1_000_000 + index)")
            }
            #expect(own.count == 1, "\(counter)")
        }
    }

    @Test func samplesFollowTheirFamily() {
        var families: Set<Substring> = []
        var current: Substring = ""
        for line in MetricsPage.text(DaemonObservation()).split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("# HELP ") {
                #expect(families.insert(words[2]).inserted, "\(words[2]) twice")
                current = words[2]
            } else if line.hasPrefix("# TYPE ") {
                #expect(words[2] == current)
                #expect(words[3] != "counter" || words[2].hasSuffix("_total"), "\(words[2])")
            } else {
                #expect(line.hasPrefix(current), "\(line)")
            }
        }
    }

    @Test func numberOfSamplesIsFixed() {
        let busy = DaemonObservation()
        for signal in Signal.allCases { busy.counters.add(signal.receivedCounter, 5_000_000) }
        let idleCount = MetricsPage.text(DaemonObservation()).split(separator: "\n").count
        #expect(MetricsPage.text(busy).split(separator: "\n").count == idleCount)
    }
}

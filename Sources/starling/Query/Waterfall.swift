// SPDX-License-Identifier: Apache-2.0

/// A trace as lines of text: its spans as a tree, with bars for when they ran.
struct Waterfall {
    private let trace: JSONObject
    private let colours: Colours
    private let spans: [JSONObject]
    /// Positions in `spans` of the children of each span.
    private let children: [String: [Int]]
    private let ids: Set<String>

    private static let barWidth = 40
    private static let indentationCountMax = 30

    init(of trace: JSONObject, _ colours: Colours) {
        self.trace = trace
        self.colours = colours
        spans = trace.objects("spans")
        ids = Set(spans.map { $0.text("span_id") })
        children = Dictionary(grouping: spans.indices) { [spans] in
            spans[$0].text("parent_span_id")
        }
    }

    var text: String {
        var lines = [headline]
        var shown = Set<Int>()
        // A stack, not recursion: how deep a trace is, its senders decide.
        var rest = roots.reversed().map { (index: $0, depth: 0) }
        while let (index, depth) = rest.popLast() {
            // Ids that are there twice make circles.
            guard shown.insert(index).inserted else { continue }
            lines.append(line(of: spans[index], depth: depth))
            let below = children[spans[index].text("span_id")] ?? []
            rest += below.reversed().map { ($0, depth + 1) }
        }
        for index in spans.indices where !shown.contains(index) {
            lines.append(line(of: spans[index], depth: 0))
        }
        return lines.joined(separator: "\n")
    }

    /// Those without a parent, and those whose parent is not there.
    private var roots: [Int] {
        spans.indices.filter { index in
            let parent = spans[index].text("parent_span_id")
            return parent.isEmpty || !ids.contains(parent)
        }
    }

    private var headline: String {
        "trace \(trace.text("trace_id")), "
            + "\(ShownText.time(trace.integer("start_time_unix_nano"))), "
            + "\(ShownText.duration(trace.integer("duration_nanos"))), "
            + "\(trace.text("span_count")) spans, \(trace.text("error_count")) errors"
    }

    private func line(of span: JSONObject, depth: Int) -> String {
        let parent = span.text("parent_span_id")
        let isOrphan = !parent.isEmpty && !ids.contains(parent)
        let isError = span.text("status") == "ERROR"
        let indentation = String(
            repeating: "  ", count: min(depth, Waterfall.indentationCountMax))
        let duration = ShownText.duration(span.integer("duration_nanos"))
        let name =
            indentation + (isOrphan ? "? " : "") + (isError ? "! " : "")
            + ShownText.line(span.text("service_name"), countMax: 40) + ": "
            + ShownText.line(span.text("name"), countMax: 80)
        let padding = String(repeating: " ", count: max(0, 8 - duration.count))
        return colours.dim("|\(bar(of: span))|") + " \(padding)\(duration)  "
            + (isError ? colours.red(name) : name)
    }

    private func bar(of span: JSONObject) -> String {
        let width = Double(Waterfall.barWidth)
        let startNs = trace.integer("start_time_unix_nano") ?? 0
        let durationNs = max(1, Double(trace.integer("duration_nanos") ?? 0))
        func column(_ name: String) -> Double {
            // Subtracted before it is rounded: a double has no nanoseconds of this century.
            Double((span.integer(name) ?? 0) &- startNs) / durationNs * width
        }
        let first = min(max(0, Int(column("start_time_unix_nano"))), Waterfall.barWidth - 1)
        let end = min(
            max(first + 1, Int(column("end_time_unix_nano").rounded())), Waterfall.barWidth)
        return String(repeating: " ", count: first) + String(repeating: "=", count: end - first)
            + String(repeating: " ", count: Waterfall.barWidth - end)
    }
}

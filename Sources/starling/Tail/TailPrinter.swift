// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Collector
internal import Query

/// Rows of a tail as people read them, a line each, or as JSON.
struct TailPrinter {
    private let items: TailVerb.Items
    private let isJSON: Bool
    private let colours: Colours

    init(_ items: TailVerb.Items, isJSON: Bool, _ colours: Colours) {
        self.items = items
        self.isJSON = isJSON
        self.colours = colours
    }

    /// `row` is JSON. Errors: those of standard output.
    func show(_ row: [UInt8]) throws(DaemonError) {
        var line = row
        if !isJSON, let object = (try? JSONValue(row)).flatMap({ JSONObject($0) }) {
            line = Array(text(object).utf8)
        }
        let output = try OutputFile(nil)
        let written: Result<Void, DaemonError> = unsafe (line + [0x0a]).withUnsafeBytes { bytes in
            Result { () throws(DaemonError) in try output.write(unsafe ByteSlice(bytes)) }
        }
        try written.get()
    }

    /// `count` is nil where nobody knows it.
    func showSkipped(_ count: Int64?) {
        let text = count.map { "… \($0) skipped" } ?? "… some skipped, nobody knows how many"
        StandardError.write("\(text)\n")
    }

    private func text(_ row: JSONObject) -> String {
        let service = ShownText.line(row.text("service_name"), countMax: 40)
        switch items {
        case .logs:
            let name = row.text("severity_text")
            let severity = ShownText.line(
                name.isEmpty ? row.text("severity_number") : name, countMax: 12)
            let isBad = (row.integer("severity_number") ?? 0) >= TailPrinter.errorSeverity
            return line(
                row.integer("time_unix_nano"), isBad ? colours.red(severity) : severity, service,
                ShownText.line(row.text("body"), countMax: 1_000))
        case .spans:
            let name = ShownText.line(row.text("name"), countMax: 200)
            let isBad = row.text("status") == "ERROR"
            return line(
                row.integer("start_time_unix_nano"),
                ShownText.duration(row.integer("duration_nanos")), service,
                isBad ? "\(name)  \(colours.red("ERROR"))" : name)
        }
    }

    /// SEVERITY_NUMBER_ERROR of OTLP.
    private static let errorSeverity = 17

    private func line(_ unixNs: Int64?, _ parts: String...) -> String {
        ([colours.dim(ShownText.time(unixNs))] + parts.map { $0.isEmpty ? "-" : $0 })
            .joined(separator: "  ")
    }
}

// SPDX-License-Identifier: Apache-2.0

/// In which form items are exported; the raw value names it.
package enum ExportFormat: String, CaseIterable, Sendable {
    /// A line for each item: the object that lists of the API have.
    case ndjson
    /// RFC 4180, with a head.
    case csv
    /// The file format of OTLP: a line for some hundred items, as an export request in JSON.
    case otlpJSON = "otlp-json"

    package var contentType: String {
        switch self {
        case .ndjson, .otlpJSON: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8; header=present"
        }
    }

    package var fileExtension: String {
        switch self {
        case .ndjson: "ndjson"
        case .csv: "csv"
        case .otlpJSON: "otlp.jsonl"
        }
    }

    /// How a failure is told at the end of a body: not in a form that knows no such line.
    package var lastWords: StreamedAnswer.LastWords { self == .ndjson ? .line : .none }

    /// That of the parameter `format`, else the first that the fields Accept name, else NDJSON.
    /// Errors: `invalidParameter`.
    package init(_ name: String?, accepted: [String]) throws(QueryFailure) {
        guard let name else {
            let types = accepted.flatMap { $0.split(separator: ",") }.map { type in
                type.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
            }
            let known: [String: ExportFormat] = ["text/csv": .csv, "application/x-ndjson": .ndjson]
            self = types.lazy.compactMap { known[$0] }.first ?? .ndjson
            return
        }
        guard let format = ExportFormat(rawValue: name) else {
            let names = ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw QueryFailure(
                .invalidParameter, "format is \"\(name)\", and has to be one of \(names)",
                pointer: "format")
        }
        self = format
    }
}

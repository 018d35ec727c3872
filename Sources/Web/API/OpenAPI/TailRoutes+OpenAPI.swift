// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

extension TailRoutes {
    static let operations = elements.map { elements in
        let name = elements.rawValue
        return Operation(
            .get, "api/\(name)/tail",
            "Follows \(name) as they are stored; cursor, or Last-Event-ID, goes on from there",
            parameters: parameters(of: elements),
            streams: [
                ("text/event-stream", .text),
                ("application/x-ndjson", .named("\(elements == .logs ? "Log" : "Span")TailLine")),
            ], problemStatuses: [422])
    }

    private static func parameters(
        of elements: SearchQuestion.Elements
    ) -> [Operation.Parameter] {
        [
            .query("limit", .count(1...Int.max), "Rows after which it ends"),
            .query("format", .choice(["sse", "ndjson"]), "As Accept; sse unless it is given"),
        ] + SearchRoutes.conditions(of: elements) + [
            Operation.Parameter(
                name: "cursor", schema: .text, summary: "Where another tail ended",
                isOpaque: true),
            Operation.Parameter(
                name: "start_time", schema: .text,
                summary: "Stored rows from then on come first; not together with cursor",
                isOpaque: true),
            Operation.Parameter(
                name: "start_limit", schema: .count(1...Int.max),
                summary: "How many of those, the newest; 1,000 at most, and unless it is given",
                isOpaque: true),
        ]
    }

    static let schemas: [(name: String, schema: Schema)] = [
        ("SpanTailLine", line(of: .named("Span"))), ("LogTailLine", line(of: .named("Log"))),
    ]

    private static func line(of row: Schema) -> Schema {
        .object(
            [],
            optional: [
                ("row", row),
                ("lagged", .object([("skipped", .nullable(.integer))])),
                ("status", .object([("database", .text), ("detail", .text)])),
                ("cursor", .text),
            ])
    }
}

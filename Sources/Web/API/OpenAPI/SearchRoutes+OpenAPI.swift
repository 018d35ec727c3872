// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

// Every parameter and filter is described in its simplest form, of which programs can make
// examples; docs/query-api.md has the others.
extension SearchRoutes {
    private static let storableText = Schema.storable
    private static let timeText: Schema = .form("^now-[1-9][0-9]?[smh]$")
    private static let durationText: Schema = .form("^[1-9][0-9]{0,2}(us|ms|s)$")

    /// More than a page has is no error.
    private static let limit: Schema = .count(1...Int.max)

    static let page: [Operation.Parameter] = [
        .query(
            "start_time", timeText, "Also RFC 3339, or nanoseconds since 1970", isRequired: true),
        .query("end_time", .form("^now$"), "Also as start_time; now unless it is given"),
        .query("limit", limit, "How many; cursor goes on from there"),
    ]

    static let common: [Operation.Parameter] = [
        .query("service", storableText, "Of this service"),
        .query("filter", .form("^(service|scope_name)(=|!=|~)[a-z]{1,20}$"), "A condition"),
    ]

    /// Of items of `subject`, by the prefixes of their keys.
    static func attributes(_ subject: FilterSubject) -> [Operation.Parameter] {
        FilterReader.attributePrefixes(of: subject).map { prefix in
            Operation.Parameter(
                name: prefix, schema: .text, summary: "An attribute and its value", isPrefix: true)
        }
    }

    static func parameters(
        of elements: SearchQuestion.Elements
    ) -> [Operation.Parameter] { page + conditions(of: elements) }

    /// Those that say which elements are meant.
    static func conditions(of elements: SearchQuestion.Elements) -> [Operation.Parameter] {
        let own: [Operation.Parameter] =
            switch elements {
            case .traces:
                [
                    .query("min_duration", durationText, "From first start to last end"),
                    .query("max_duration", durationText, "From first start to last end"),
                    .query("errors_only", .truth, "Only those with a span of status ERROR"),
                ]
            case .spans:
                [
                    .query("min_duration", durationText, "At least"),
                    .query("max_duration", durationText, "At most"),
                    .query("kind", .choice(["SERVER", "CLIENT", "INTERNAL"]), "SpanKind"),
                ]
            case .logs:
                [
                    .query("text", storableText, "What the body contains"),
                    .query("min_severity", .choice(severities), "A name, or a number"),
                    .query("max_severity", .choice(severities), "A name, or a number"),
                ]
            }
        return common + own + attributes(elements.subject)
    }

    private static let severities = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

    static let body: Schema = .object(
        [
            (
                "time_range",
                .object(
                    [("start_time", timeText)], optional: [("end_time", .nullable(.form("^now$")))])
            )
        ],
        optional: [
            (
                "filters",
                .nullable(
                    .list(
                        .object([
                            ("field", .choice(["service", "scope_name"])),
                            ("operator", .choice(["eq", "ne", "contains"])),
                            ("value", storableText),
                        ])))
            ), ("pagination", .nullable(.object([], optional: [("limit", .nullable(limit))]))),
        ])

    static let operations = [SearchQuestion.Elements.traces, .spans, .logs].flatMap { elements in
        let name = elements.rawValue
        let answer: Schema = .named(listName(of: elements))
        return [
            Operation(
                .get, "api/\(name)", "A page of \(name), newest first",
                parameters: parameters(of: elements), answers: answer, problemStatuses: [422]
            ),
            Operation(
                .post, "api/\(name)/search", "The same, with filters in a body", body: body,
                answers: answer, problemStatuses: [422]),
        ]
    }

    private static func listName(of elements: SearchQuestion.Elements) -> String {
        switch elements {
        case .traces: "TraceList"
        case .spans: "SpanList"
        case .logs: "LogList"
        }
    }

    private static func list(_ name: String, of element: Schema) -> Schema {
        .object([
            (name, .list(element)),
            ("pagination", .object([("has_more", .truth), ("next_cursor", .nullable(.text))])),
            ("warnings", .list(.text)),
        ])
    }

    static let schemas: [(name: String, schema: Schema)] = [
        ("TraceList", list("traces", of: summary)),
        ("SpanList", list("spans", of: .named("Span"))),
        ("LogList", list("logs", of: .named("Log"))),
        ("Log", log),
    ]

    private static let summary: Schema = .object([
        ("trace_id", .traceID), ("root_service_name", .nullable(.text)),
        ("root_span_name", .nullable(.text)), ("start_time_unix_nano", .digits),
        ("end_time_unix_nano", .digits), ("duration_nanos", .digits), ("span_count", .integer),
        ("error_count", .integer),
        (
            "services",
            .list(
                .object([
                    ("service_name", .nullable(.text)), ("span_count", .integer),
                    ("error_count", .integer),
                ]))
        ),
    ])

    private static let log: Schema = .object([
        ("time_unix_nano", .digits), ("observed_time_unix_nano", .nullable(.digits)),
        ("log_id", .digits), ("severity_number", .nullable(.integer)),
        ("severity_text", .nullable(.text)), ("event_name", .nullable(.text)), ("body", .any),
        ("body_type", .nullable(.text)), ("trace_id", .nullable(.traceID)),
        ("span_id", .nullable(.spanID)), ("flags", .integer), ("resource_id", .integer),
        ("service_name", .nullable(.text)), ("scope_name", .nullable(.text)),
        ("scope_version", .nullable(.text)), ("attributes", .attributes),
        ("resource_attributes", .attributes), ("dropped_attributes_count", .integer),
        ("time_is_substituted", .truth),
    ])
}

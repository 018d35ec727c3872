// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird

extension TraceRoutes {
    private static let id = Operation.Parameter.path(
        "id", .form("^(?!0+$)([0-9a-fA-F]{32}|[0-9a-fA-F]{16})$"), "The trace id")
    private static let spanID = Operation.Parameter.path(
        "span_id", .form("^(?!0+$)[0-9a-fA-F]{16}$"), "The span id")

    static let operations = [
        Operation(
            .get, "api/traces/:id", "All spans of one trace", parameters: [id],
            answers: .named("Trace"), problemStatuses: [404]),
        Operation(
            .get, "api/traces/:id/spans", "The spans of one trace as a list", parameters: [id],
            answers: .named("SpanList"), problemStatuses: [404]),
        Operation(
            .get, "api/traces/:id/logs", "The log records of one trace, by span",
            parameters: [id],
            answers: .object([
                ("trace_id", .traceID), ("log_count", .integer),
                (
                    "spans",
                    .list(
                        .object([
                            ("span_id", .nullable(.spanID)), ("logs", .list(.named("Log"))),
                        ]))
                ), ("warnings", .list(.text)),
            ])),
        Operation(
            .get, "api/traces/:id/spans/:span_id/logs", "The log records of one span",
            parameters: [id, spanID], answers: .named("LogList")),
    ]

    static let schemas: [(name: String, schema: Schema)] = [
        (
            "Trace",
            .object([
                ("trace_id", .traceID), ("start_time_unix_nano", .digits),
                ("end_time_unix_nano", .digits), ("duration_nanos", .digits),
                ("span_count", .integer), ("error_count", .integer),
                (
                    "resources",
                    .list(
                        .object([
                            ("resource_id", .integer), ("service_name", .nullable(.text)),
                            ("attributes", .attributes),
                        ]))
                ), ("spans", .list(.named("Span"))), ("warnings", .list(.text)),
            ])
        ),
        (
            "Span",
            .object(
                [
                    ("trace_id", .traceID), ("span_id", .spanID),
                    ("parent_span_id", .nullable(.spanID)), ("name", .text),
                    ("kind", .text), ("start_time_unix_nano", .digits),
                    ("end_time_unix_nano", .digits), ("duration_nanos", .digits), ("status", .text),
                    ("status_message", .nullable(.text)), ("semantic_type", .text),
                    ("resource_id", .integer),
                    ("service_name", .nullable(.text)), ("scope_name", .nullable(.text)),
                    ("scope_version", .nullable(.text)), ("attributes", .attributes),
                    ("events", .list(.map(.any))), ("links", .list(.map(.any))),
                    ("trace_state", .nullable(.text)), ("flags", .integer),
                    ("dropped_attributes_count", .integer), ("dropped_events_count", .integer),
                    ("dropped_links_count", .integer),
                ], optional: [("resource_attributes", .attributes)])
        ),
    ]
}

// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird

extension TraceRoutes {
    static let operations = [
        Operation(
            .get, "api/traces/:id", "All spans of one trace",
            parameters: [
                .path("id", .form("^(?!0+$)([0-9a-fA-F]{32}|[0-9a-fA-F]{16})$"), "The trace id")
            ],
            answers: .named("Trace"), problemStatuses: [404])
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
            .object([
                ("span_id", .spanID), ("parent_span_id", .nullable(.spanID)), ("name", .text),
                ("kind", .text), ("start_time_unix_nano", .digits),
                ("end_time_unix_nano", .digits), ("duration_nanos", .digits), ("status", .text),
                ("status_message", .nullable(.text)), ("resource_id", .integer),
                ("service_name", .nullable(.text)), ("scope_name", .nullable(.text)),
                ("scope_version", .nullable(.text)), ("attributes", .attributes),
                ("events", .list(.map(.any))), ("links", .list(.map(.any))),
                ("trace_state", .nullable(.text)), ("flags", .integer),
                ("dropped_attributes_count", .integer), ("dropped_events_count", .integer),
                ("dropped_links_count", .integer),
            ])
        ),
    ]
}

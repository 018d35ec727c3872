// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird

extension AdminRoutes {
    private static let signals = Schema.choice(["traces", "logs", "metrics"])
    private static let ofSignal = Operation.Parameter.query(
        "signal", signals, "Only those of one signal")

    static let operations = [
        Operation(
            .get, "api/partitions", "The partitions of the fact tables", parameters: [ofSignal],
            answers: .object([
                (
                    "partitions",
                    .list(
                        .object([
                            ("partition", .text), ("table", .text), ("signal", signals),
                            ("start_time_unix_nano", .digits), ("end_time_unix_nano", .digits),
                            ("rows_estimate", .integer), ("size_bytes", .integer),
                            (
                                "state",
                                .choice(["live", "closed", "detaching", "detached"])
                            ),
                        ]))
                ), ("size_bytes", .integer),
            ])),
        Operation(
            .get, "api/retention", "How long each signal is kept",
            answers: .object([
                (
                    "retention",
                    .list(
                        .object([
                            ("signal", signals), ("days", .nullable(.integer)),
                            ("bytes", .nullable(.integer)), ("stored_bytes", .integer),
                            ("oldest_unix_nano", .nullable(.digits)),
                            (
                                "tenants",
                                .list(.object([("tenant", .text), ("days", .integer)]))
                            ),
                        ]))
                )
            ])),
        Operation(
            .put, "api/retention/:signal", "Change how long a signal is kept: scope admin",
            parameters: [.path("signal", signals, "The signal")],
            body: .object(
                [],
                optional: [
                    ("days", .nullable(.count(1...36_500))),
                    ("bytes", .nullable(.count(1...Int.max))),
                ]),
            answers: .object([
                ("signal", signals), ("days", .nullable(.integer)),
                ("bytes", .nullable(.integer)), ("tenant", .nullable(.text)),
            ])),
        Operation(
            .get, "api/dead-letters",
            "Items that could not be stored; cursor is next_cursor of the page before",
            parameters: [
                ofSignal, .query("reason", .storable, "Only those of this reason"),
                .query("sqlstate", .storable, "Only those that PostgreSQL refused like this"),
                .query("tenant", .storable, "Only those of this tenant"),
                .query("service", .storable, "Only those of this service"),
                .query("limit", .count(1...Int.max), "How many at most; 100 unless it is given"),
                Operation.Parameter(
                    name: "cursor", schema: .text, summary: "next_cursor of the page before",
                    isOpaque: true),
            ],
            answers: .object([
                ("dead_letters", .list(.named("DeadLetter"))),
                (
                    "pagination",
                    .object([("has_more", .truth), ("next_cursor", .nullable(.text))])
                ), ("warnings", .list(.text)),
            ])),
        Operation(
            .get, "api/dead-letters/:id", "One item that could not be stored",
            parameters: [.path("id", .count(1...Int.max), "Its number")],
            answers: .named("DeadLetter"), problemStatuses: [404]),
    ]

    static let schemas: [(name: String, schema: Schema)] = [
        (
            "DeadLetter",
            .object([
                ("dead_letter_id", .digits), ("signal", signals), ("tenant", .text),
                ("service", .nullable(.text)), ("reason", .text), ("sqlstate", .nullable(.text)),
                ("message", .text), ("request_id", .text), ("request_item_count", .integer),
                ("item_ordinal", .integer), ("received_unix_nano", .digits),
                ("dead_lettered_unix_nano", .digits), ("retry_count", .integer),
                ("retried_unix_nano", .nullable(.digits)), ("size_bytes", .integer),
            ])
        )
    ]
}

// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird

extension Operation.Parameter {
    /// Of the forms that docs/query-api.md has, the one that needs no calendar.
    static let startTime = Operation.Parameter.query(
        "start_time", .form("^now-[1-9][0-9]?[smh]$"),
        "From when on: now-15m; RFC 3339 and nanoseconds since 1970 are taken as well",
        isRequired: true)
    static let endTime = Operation.Parameter.query(
        "end_time", .form("^now$"),
        "Until when: now, which is the default, or what start_time may be")
}

extension ServiceRoutes {
    static let operations = [
        Operation(
            .get, "api/services", "Calls, errors and durations of every service",
            parameters: [.startTime, .endTime], answers: .named("ServiceFigures"),
            problemStatuses: [422]),
        Operation(
            .get, "api/service-map", "Who called whom",
            parameters: [
                .startTime, .endTime,
                .query("service", .storable, "Only edges from or to services of this name"),
            ],
            answers: .named("ServiceMap"), problemStatuses: [422]),
    ]

    private static let quantiles: [(name: String, schema: Schema)] = [
        ("p50_nanos", .nullable(.digits)), ("p95_nanos", .nullable(.digits)),
        ("p99_nanos", .nullable(.digits)),
    ]

    private static let node: Schema = .object([
        ("id", .text), ("type", .choice(["service", "database", "broker", "external"])),
        ("namespace", .text), ("name", .text), ("calls", .integer), ("errors", .integer),
    ])

    private static let edge: Schema = .object(
        [
            ("kind", .choice(["call", "message", "database", "broker", "external"])),
            ("client", .text), ("server", .text), ("calls", .integer), ("errors", .integer),
            ("error_rate", .number), ("mean_nanos", .number),
        ] + quantiles)

    static let schemas: [(name: String, schema: Schema)] = [
        (
            "ServiceFigures",
            .object([
                ("start_time_unix_nano", .digits), ("end_time_unix_nano", .digits),
                (
                    "services",
                    .list(
                        .object(
                            [
                                ("service", .nullable(.text)), ("namespace", .nullable(.text)),
                                ("calls", .integer), ("errors", .integer), ("error_rate", .number),
                                ("calls_per_second", .number), ("is_estimate", .truth),
                            ] + quantiles))
                ), ("warnings", .list(.text)),
            ])
        ),
        (
            "ServiceMap",
            .object([
                ("start_time_unix_nano", .digits), ("end_time_unix_nano", .digits),
                ("complete_until_unix_nano", .digits), ("nodes", .list(node)),
                ("edges", .list(edge)), ("warnings", .list(.text)),
            ])
        ),
    ]
}

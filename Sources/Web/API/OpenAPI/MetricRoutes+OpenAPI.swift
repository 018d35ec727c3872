// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

extension MetricRoutes {
    static let name = Operation.Parameter.path(
        "name", .form("^[A-Za-z][A-Za-z0-9_.]{0,62}$"), "The name of a metric, percent-encoded")
    private static let limit = Operation.Parameter.query(
        "limit", .count(1...Int.max), "How many at most; 100 unless it is given")
    private static let prefix = Operation.Parameter.query(
        "prefix", .storable, "Only what begins with this")
    static let type = Operation.Parameter.query(
        "type", .choice(MetricQuestion.types), "Where metrics of several types have the name")
    private static let service = Operation.Parameter.query(
        "service", .storable, "Only series of this service")
    private static let attributes = ["attr.", "datapoint.", "resource.", "scope."].map { scope in
        Operation.Parameter(
            name: scope, schema: .text, summary: "An attribute and its value", isPrefix: true)
    }

    /// Those that there are for every type; docs/query-api.md has the others.
    private static let aggregation: Schema = .choice(["avg", "sum", "count"])
    /// The simplest form; docs/query-api.md has the others.
    private static let filter: Schema = .object([
        ("field", .choice(["service"])), ("operator", .choice(["eq"])), ("value", .storable),
    ])
    private static let groupBy: Schema = .form("^(service|datapoint\\.[a-z]+)$")
    private static let step: Schema = .form("^[1-9][0-9]?[smh]$")

    private static let bodyMembers: [(name: String, schema: Schema)] = [
        ("filters", .nullable(.shortList(filter, countMax: 100))),
        ("type", .nullable(.choice(MetricQuestion.types))),
        ("aggregation", .nullable(aggregation)),
        ("group_by", .nullable(.shortList(groupBy, countMax: 10))), ("step", .nullable(step)),
        ("limit", .nullable(.count(1...Int.max))),
    ]

    private static let timeRange: Schema = .object(
        [("start_time", .form("^now-[1-9][0-9]?[smh]$"))],
        optional: [("end_time", .nullable(.form("^now$")))])

    static let operations = [
        Operation(
            .get, "api/metrics",
            "Which metrics there are; cursor is next_cursor of the page before",
            parameters: [
                prefix, limit,
                Operation.Parameter(
                    name: "cursor", schema: .text, summary: "next_cursor of the page before",
                    isOpaque: true),
            ],
            answers: .named("Metrics")),
        Operation(
            .get, "api/metrics/:name/labels", "The labels of a metric", parameters: [name],
            answers: .object([
                ("labels", .list(.object([("label", .text), ("series_count", .integer)]))),
                ("warnings", .list(.text)),
            ]), problemStatuses: [404]),
        Operation(
            .get, "api/metrics/:name/labels/:key/values", "The values of a label",
            parameters: [
                name,
                .path("key", groupBy, "service, datapoint.KEY, resource.KEY, scope.KEY, …"),
                prefix, limit,
            ],
            answers: .object([
                ("values", .list(.object([("value", .text), ("series_count", .integer)]))),
                ("warnings", .list(.text)),
            ]), problemStatuses: [404]),
        Operation(
            .get, "api/metrics/:name/series", "Points, aggregated by step and label",
            parameters: [
                name, .startTime, .endTime, type,
                .query("aggregation", aggregation, "Also min, max, last, rate, increase, p95, …"),
                .query("group_by", groupBy, "Labels, with commas in between"),
                .query("step", step, "A duration"), limit, service,
            ] + attributes,
            answers: .named("MetricSeries"), problemStatuses: [404, 422]),
        Operation(
            .get, "api/metrics/:name/exemplars", "Values with the traces they came from",
            parameters: [name, .startTime, .endTime, type, limit, service] + attributes,
            answers: .named("MetricExemplars"), problemStatuses: [404, 422]),
        Operation(
            .post, "api/metrics/:name/series", "The same, with filters in a body",
            parameters: [name],
            body: .object([("time_range", timeRange)], optional: bodyMembers),
            answers: .named("MetricSeries"), problemStatuses: [404, 422]),
        Operation(
            .post, "api/metrics/search", "The same, with the name in the body too",
            body: .object(
                [("metric", .text), ("time_range", timeRange)], optional: bodyMembers),
            answers: .named("MetricSeries"), problemStatuses: [404, 422]),
    ]

    private static let identity: [(name: String, schema: Schema)] = [
        ("type", .choice(MetricQuestion.types)), ("unit", .nullable(.text)),
        ("temporality", .nullable(.text)),
    ]

    static let schemas: [(name: String, schema: Schema)] = [
        (
            "Metrics",
            .object([
                (
                    "metrics",
                    .list(
                        .object(
                            [
                                ("name", .text), ("is_monotonic", .nullable(.truth)),
                                ("description", .nullable(.text)),
                                ("first_seen_unix_nano", .digits),
                                ("last_seen_unix_nano", .digits),
                            ] + identity))
                ),
                (
                    "pagination",
                    .object([("has_more", .truth), ("next_cursor", .nullable(.text))])
                ), ("warnings", .list(.text)),
            ])
        ),
        (
            "MetricSeries",
            .object(
                [
                    ("metric", .text), ("aggregation", .text), ("start_time_unix_nano", .digits),
                    ("end_time_unix_nano", .digits), ("step_nanos", .digits),
                    (
                        "series",
                        .list(
                            .object([
                                ("labels", .map(.nullable(.text))),
                                (
                                    "points",
                                    .list(
                                        .object([
                                            ("time_unix_nano", .digits),
                                            ("value", .nullable(.number)),
                                        ]))
                                ),
                            ]))
                    ), ("warnings", .list(.text)),
                ] + identity)
        ),
        (
            "MetricExemplars",
            .object(
                [
                    ("metric", .text),
                    (
                        "exemplars",
                        .list(
                            .object([
                                ("time_unix_nano", .digits), ("value", .nullable(.number)),
                                ("trace_id", .nullable(.text)), ("span_id", .nullable(.text)),
                                ("attributes", .attributes), ("series_id", .digits),
                            ]))
                    ), ("warnings", .list(.text)),
                ] + identity)
        ),
    ]
}

// SPDX-License-Identifier: Apache-2.0

// Calls, errors and durations of services, out of what the janitor has added up by minute and hour.
// Functions are run with the rights of who calls them: they read the views of this schema alone.
extension GrafanaViews {
    static let serviceFigures = [
        figures(by: "minute", of: "otel_service_figures"),
        figures(by: "hour", of: "otel_service_hour_figures"),
        periods, edges, calls, seconds, quantiles,
    ]

    /// The columns of both views, as they are named and typed.
    private static let columns = [
        ("time", "timestamptz"), ("service_name", "text"), ("service_namespace", "text"),
        ("kind", "text"), ("is_entry", "boolean"), ("call_count", "bigint"),
        ("error_count", "bigint"), ("duration_ms_sum", "double precision"),
        ("latency_buckets", "bytea"),
    ]

    /// Periods that are not noted as computed do not count.
    private static func figures(by period: String, of table: String) -> ViewDefinition {
        view(
            "service_\(period)s",
            "One row per \(period), service and kind, out of the figures of services: what is a"
                + " minute or two old. Filter by time",
            [
                ViewColumn("time", "figure.\(period)", "When the \(period) begins"),
                ViewColumn("service_name", "NULLIF(figure.service_name, '')"),
                ViewColumn("service_namespace", "NULLIF(figure.service_namespace, '')"),
                ViewColumn("kind", "kind.name", "As OTLP names it: SERVER, CLIENT, …"),
                ViewColumn(
                    "is_entry", "figure.kind_id IN (2, 5)",
                    "Whether they are of kind SERVER or CONSUMER; of others only spans without a"
                        + " parent are counted"),
                ViewColumn("call_count", "figure.call_count"),
                ViewColumn("error_count", "figure.error_count", "Calls with status ERROR"),
                ViewColumn(
                    "duration_ms_sum", "figure.latency_sum_nanos / 1e6::double precision",
                    "Of all calls"),
                ViewColumn(
                    "latency_buckets", "figure.latency_buckets",
                    "How many calls took how long: add up with string_agg(latency_buckets, '')"
                        + " and read with grafana.latency_quantiles_ms"),
            ],
            from: """
                \(table) AS figure
                JOIN otel_service_figure_\(period)s AS known USING (\(period))
                JOIN span_kinds AS kind USING (kind_id)
                """)
    }

    private static let periods = view(
        "service_periods", "Which minutes and hours are in service_minutes and service_hours",
        [
            ViewColumn("time", "period.time", "When it begins"),
            ViewColumn("is_hour", "period.is_hour"),
        ],
        from: """
            (SELECT hour, true FROM otel_service_figure_hours
                UNION ALL SELECT minute, false FROM otel_service_figure_minutes)
                AS period ("time", is_hour)
            """)

    /// The place of `edge` in the packed edges, and of its number `index` there.
    private static func number(_ index: Int) -> String {
        "otel_int8_at(packed.edges, edge.place + \(8 * index))"
    }

    private static let edges = view(
        "service_edges",
        "The service map: one row per minute, and who calls whom (and tenant). Filter by time",
        [
            ViewColumn("time", "packed.minute", "When the minute begins"),
            ViewColumn("kind", "named.kind", "call, message, database, broker or external"),
            ViewColumn("client_service", "NULLIF(named.client_service, '')"),
            ViewColumn("client_namespace", "NULLIF(named.client_namespace, '')"),
            ViewColumn(
                "server_service", "NULLIF(named.server_service, '')",
                "The service, or what else is called"),
            ViewColumn("server_namespace", "NULLIF(named.server_namespace, '')"),
            ViewColumn("call_count", number(1)),
            ViewColumn("error_count", number(2), "Calls with status ERROR"),
            ViewColumn(
                "duration_ms_sum", "\(number(3)) / 1e6::double precision", "Of all calls"),
            ViewColumn(
                "latency_buckets",
                """
                substring(packed.latency_buckets
                    FROM edge.buckets + 1 FOR \(number(4))::integer - edge.buckets)
                """, "As in service_minutes"),
        ],
        from: """
            otel_service_minute_edges AS packed
            CROSS JOIN LATERAL (
                SELECT place, CASE WHEN place = 0 THEN 0
                    ELSE otel_int8_at(packed.edges, place - 8)::integer END
                FROM generate_series(0, length(packed.edges) - 40, 40) AS place)
                AS edge (place, buckets)
            JOIN otel_service_edges_dim AS named ON named.edge_id = \(number(0))
            """)

    // MARK: Functions

    /// The first whole minute or hour that does not begin before `unixNano`, or the last one.
    private static func moment(_ unixNano: String, _ seconds: Int, isRoundedUp: Bool) -> String {
        let more = isRoundedUp ? " + \(seconds)000000000 - 1" : ""
        return "to_timestamp(((\(unixNano)\(more)) / \(seconds)000000000 * \(seconds))::float8)"
    }

    private static let firstHour = moment("from_unix_nano", 3600, isRoundedUp: true)
    private static let endOfHours = moment("until_unix_nano", 3600, isRoundedUp: false)
    private static let firstMinute = moment("from_unix_nano", 60, isRoundedUp: true)
    private static let endOfMinutes = moment("until_unix_nano", 60, isRoundedUp: true)

    private static func function(
        _ name: String, _ arguments: String, returns type: String, _ comment: String, _ body: String
    ) -> ViewDefinition {
        ViewDefinition(
            kind: .function, name: "\(schemaName).\(name)",
            // A text: what it reads can be dropped and made again under it.
            createSQL: """
                CREATE OR REPLACE FUNCTION \(schemaName).\(name)(\(arguments)) RETURNS \(type)
                LANGUAGE sql STABLE PARALLEL SAFE AS $$
                \(body)
                $$
                """, comment: comment, columnComments: [])
    }

    private static let calls = function(
        "service_calls",
        "from_unix_nano bigint, until_unix_nano bigint, uses_hours boolean DEFAULT true",
        returns: "TABLE (\(columns.map { "\"\($0.0)\" \($0.1)" }.joined(separator: ", ")))",
        "Rows of service_hours and, for what is in none of them, of service_minutes: those that"
            + " begin in the range. Without uses_hours, minutes only",
        """
        SELECT \(columns.map { "hour.\"\($0.0)\"" }.joined(separator: ", "))
        FROM \(schemaName).service_hours AS hour
        WHERE uses_hours AND hour.time >= \(firstHour) AND hour.time < \(endOfHours)
        UNION ALL
        SELECT \(columns.map { "minute.\"\($0.0)\"" }.joined(separator: ", "))
        FROM \(schemaName).service_minutes AS minute
        WHERE minute.time >= \(firstMinute) AND minute.time < \(endOfMinutes)
            AND NOT EXISTS (
                SELECT FROM \(schemaName).service_periods AS known
                WHERE uses_hours AND known.is_hour AND known.time >= \(firstHour)
                    AND known.time < \(endOfHours)
                    AND known.time = date_trunc('hour', minute.time, 'UTC'))
        """)

    private static let seconds = function(
        "service_seconds", "from_unix_nano bigint, until_unix_nano bigint", returns: "bigint",
        "How much of a range is in service_minutes, in seconds: what to divide by for a rate. NULL"
            + " where nothing is",
        """
        SELECT nullif(60 * count(*), 0) FROM \(schemaName).service_periods AS known
        WHERE NOT known.is_hour AND known.time >= \(firstMinute) AND known.time < \(endOfMinutes)
        """)

    /// The middles of buckets, as `LatencyHistogram` says.
    private static let quantiles = function(
        "latency_quantiles_ms", "latency_buckets bytea, shares double precision[]",
        returns: "double precision[]",
        "For each share the duration in milliseconds that it does not exceed: the middle of a"
            + " bucket, up to 4.5 % off between 1 us and 73 min",
        """
        WITH bucket AS MATERIALIZED (
            SELECT number, sum(count) OVER (ORDER BY number) AS seen, sum(count) OVER () AS total
            FROM (
                SELECT get_byte(latency_buckets, place) * 256
                        + get_byte(latency_buckets, place + 1) AS number,
                    sum(get_byte(latency_buckets, place + 2)::bigint * 16777216
                        + get_byte(latency_buckets, place + 3) * 65536
                        + get_byte(latency_buckets, place + 4) * 256
                        + get_byte(latency_buckets, place + 5)) AS count
                FROM generate_series(0, length(latency_buckets) - 6, 6) AS place
                GROUP BY number) AS one
        )
        SELECT array_agg((
            SELECT power(2::float8, (number + 0.5) / 8) / 1e6 FROM bucket
            WHERE seen >= greatest(1, ceil(share * total)) ORDER BY number LIMIT 1) ORDER BY place)
        FROM unnest(shares) WITH ORDINALITY AS wanted (share, place)
        WHERE EXISTS (SELECT FROM bucket)
        """)
}

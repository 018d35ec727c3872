// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

// What the daemons wrote down about themselves, and what takes the room.
extension GrafanaViews {
    static let daemon = [ledger, deadLetters, maintenance, partitions, tables]

    private static let ledger = view(
        "ledger",
        "Items by minute of arrival: received = committed + dead_lettered + deduplicated + refused",
        [
            ViewColumn("time", "entry.minute"),
            ViewColumn("signal", "entry.signal", "traces, logs or metrics"),
            ViewColumn("tenant", "entry.tenant"),
            ViewColumn("source", "entry.source", "One run of a daemon, and which of its writers"),
            ViewColumn("received", "entry.received"),
            ViewColumn("committed", "entry.committed"),
            ViewColumn("dead_lettered", "entry.dead_lettered"),
            ViewColumn("deduplicated", "entry.deduplicated"),
            ViewColumn("refused", "entry.refused"),
            ViewColumn(
                "replayed", "entry.replayed", "Of dead_lettered; not part of the balance"),
        ], from: "otel_loss_ledger AS entry")

    private static let deadLetters = view(
        "dead_letters", "One row per item that could not be stored, without the item itself",
        [
            ViewColumn("time", "letter.dead_lettered_at"),
            ViewColumn("dead_letter_id", "letter.dead_letter_id"),
            ViewColumn("signal", "letter.signal", "traces, logs or metrics"),
            ViewColumn("tenant", "letter.tenant"),
            ViewColumn("service_name", "letter.service_name"),
            ViewColumn("reason", "letter.reason"),
            ViewColumn("sqlstate", "letter.sqlstate"),
            ViewColumn("message", "letter.message"),
            ViewColumn("received_at", "letter.received_at"),
            ViewColumn("retry_count", "letter.retry_count"),
            ViewColumn("size_bytes", "letter.size_bytes"),
        ], from: "otel_dead_letters AS letter")

    private static let maintenance = view(
        "maintenance", "What the daemons and the maintenance verbs did to partitions",
        [
            ViewColumn("time", "entry.at"),
            ViewColumn("action", "entry.action"),
            ViewColumn("object", "entry.object"),
            ViewColumn("signal", "entry.signal"),
            ViewColumn("bytes_freed", "entry.bytes_freed"),
            ViewColumn("duration_ms", "entry.duration_ms"),
            ViewColumn("detail", "entry.detail"),
        ], from: "otel_maintenance_log AS entry")

    private static let sizes = [
        ViewColumn("row_estimate", "part.row_estimate", "By the server's statistics"),
        ViewColumn("table_bytes", "part.table_bytes", "Rows, with TOAST"),
        ViewColumn("index_bytes", "part.index_bytes"),
        ViewColumn("total_bytes", "part.table_bytes + part.index_bytes"),
    ]

    private static let rowEstimate =
        "greatest(pg_stat_get_live_tuples(relation.oid), relation.reltuples::bigint, 0)"

    /// Columns of `pg_class AS relation` that `sizes` needs.
    private static let measured = """
        \(rowEstimate) AS row_estimate,
                pg_table_size(relation.oid) AS table_bytes,
                pg_indexes_size(relation.oid) AS index_bytes
        """

    /// One row per fact table, as text of a VALUES list: table and signal.
    private static let facts = FactTable.allCases.map { table in
        let regclass = "\(SQLText.literal(table.name))::regclass"
        return "(\(regclass), \(SQLText.literal(table.signal.policyName)))"
    }.joined(separator: ", ")

    private static let partitions = view(
        "partitions", "One row per partition of a fact table. Looks at the size of each file",
        [
            ViewColumn("signal", "part.signal", "traces, logs or metrics"),
            ViewColumn("table_name", "part.table_name"),
            ViewColumn("partition", "part.partition"),
            ViewColumn(
                "from_time", "otel_time(part.bounds[1]::bigint)", "The first time that it takes"),
            ViewColumn(
                "until_time", "otel_time(part.bounds[2]::bigint)", "The first that it does not"),
            ViewColumn("from_unix_nano", "part.bounds[1]::bigint"),
            ViewColumn("until_unix_nano", "part.bounds[2]::bigint"),
        ] + sizes,
        from: """
            (
                SELECT fact.signal, fact.parent::text AS table_name,
                    relation.relname::text AS partition,
                    regexp_match(pg_get_expr(relation.relpartbound, relation.oid),
                        'FROM \\(''?(-?[0-9]+)''?\\) TO \\(''?(-?[0-9]+)') AS bounds,
                    \(measured)
                FROM (VALUES \(facts)) AS fact (parent, signal)
                JOIN pg_inherits ON inhparent = fact.parent
                JOIN pg_class AS relation ON relation.oid = inhrelid
            ) AS part
            """)

    /// By the names of what is partitioned, so that a fact table is one row.
    private static let tables = view(
        "tables", "One row per table, its partitions included. Looks at the size of each file",
        [
            ViewColumn("table_name", "part.table_name"),
            ViewColumn("partition_count", "part.partition_count"),
        ] + sizes,
        from: """
            (
                SELECT COALESCE(inhparent, relation.oid)::regclass::text AS table_name,
                    count(inhparent) AS partition_count,
                    sum(\(rowEstimate))::bigint AS row_estimate,
                    sum(pg_table_size(relation.oid))::bigint AS table_bytes,
                    sum(pg_indexes_size(relation.oid))::bigint AS index_bytes
                FROM pg_class AS relation
                LEFT JOIN pg_inherits ON inhrelid = relation.oid
                WHERE relation.relkind = 'r' AND relation.relnamespace
                    = (SELECT relnamespace FROM pg_class WHERE oid = 'otel_spans_fact'::regclass)
                GROUP BY COALESCE(inhparent, relation.oid)
            ) AS part
            """)
}

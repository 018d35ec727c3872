// SPDX-License-Identifier: Apache-2.0
internal import Copy

/// Which part of a fact table is read in order to judge its attributes: pages at random of the
/// newest partitions, as many as hold about the rows that are wanted.
///
/// The same rows come each time, as long as nothing is written.
struct SamplePlan: Sendable, Equatable {
    /// A partition as its files and the server's statistics show it.
    struct Source: Sendable, Equatable {
        /// As it stands in statements.
        let sqlName: String
        /// Of its main file, now.
        let pageCount: Int64
        /// Rows per page where somebody counted them.
        let rowsPerPage: Double?
    }

    struct Part: Sendable, Equatable {
        let sqlName: String
        /// Of its pages; above 0, up to 100.
        let percent: Double
    }

    /// Where nothing is known: spans of ten attributes are about 300 bytes.
    static let rowsPerPageDefault = 20.0
    /// A part that reads fewer pages than this is read as a whole: too few pages are no sample.
    private static let pageCountMin: Int64 = 64
    /// Some more than needed, because pages are drawn by chance.
    private static let surplus = 1.2

    let parts: [Part]
    let rowCountMax: Int
    /// Rows of the whole table, for estimates.
    let tableRowCountEstimate: Double

    /// `sources` begin with the newest.
    init(_ sources: [Source], rowCountMax: Int) {
        var parts: [Part] = []
        var missingCount = Double(rowCountMax) * SamplePlan.surplus
        for source in sources where source.pageCount > 0 && missingCount > 0 {
            let density = SamplePlan.density(source)
            let wantedCount = max(missingCount / density, Double(SamplePlan.pageCountMin))
            let percent = min(100, 100 * wantedCount / Double(source.pageCount))
            parts.append(Part(sqlName: source.sqlName, percent: percent))
            missingCount -= Double(source.pageCount) * density * percent / 100
        }
        self.parts = parts
        self.rowCountMax = rowCountMax
        tableRowCountEstimate = sources.reduce(0) {
            $0 + Double($1.pageCount) * SamplePlan.density($1)
        }
    }

    private static func density(_ source: Source) -> Double {
        max(source.rowsPerPage ?? rowsPerPageDefault, 0.01)
    }

    /// `columns` of the chosen rows, as a query; nil where the table has no pages.
    func sql(columns: String) -> String? {
        guard !parts.isEmpty else { return nil }
        let selects = parts.map { part in
            let source = "SELECT \(columns) FROM \(part.sqlName)"
            guard part.percent < 100 else { return source }
            return source + " TABLESAMPLE SYSTEM (\(part.percent)) REPEATABLE (0)"
        }
        return selects.joined(separator: " UNION ALL ") + " LIMIT \(rowCountMax)"
    }

    static func load(
        _ signal: PromotedSignal, rowCountMax: Int, on connection: inout PGConnection,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> SamplePlan {
        var parameters = QueryParameters()
        parameters.append(signal.table.name)
        let result = try connection.query(
            """
            SELECT child.oid::regclass::text,
                pg_relation_size(child.oid) / current_setting('block_size')::int8,
                CASE WHEN reltuples >= 0 AND relpages > 0
                    THEN (1000 * reltuples / relpages)::int8 END
            FROM pg_inherits
            JOIN pg_class AS child ON child.oid = inhrelid AND relkind = 'r'
            CROSS JOIN pg_get_expr(relpartbound, child.oid) AS bound
            WHERE inhparent = $1::regclass AND NOT inhdetachpending
            ORDER BY (regexp_match(bound, 'FROM \\(''?(-?\\d+)'))[1]::int8 DESC NULLS LAST
            """, parameters, deadlineNs: deadlineNs)
        let sources = (0..<result.rowCount).map { row in
            Source(
                sqlName: result.string(row: row, column: 0),
                pageCount: result.integer(row: row, column: 1) ?? 0,
                rowsPerPage: result.integer(row: row, column: 2).map { Double($0) / 1_000 })
        }
        return SamplePlan(sources, rowCountMax: rowCountMax)
    }
}

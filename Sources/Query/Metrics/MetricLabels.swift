// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// The labels of the series of a metric, and the values of one label.
package enum MetricLabels {
    package static let labelCountMax = 1_000

    /// Writes every label with the number of series that have it. Errors: `notFound`.
    package static func write(
        of metric: String, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        _ = try MetricIdentity.find(metric, type: nil, in: &session)
        var statement = SQLStatement()
        let series = matched(metric, in: &statement)
        let owners = MetricLabel.owners.sorted { $0.key < $1.key }
        let branches = owners.flatMap { scope, owner in
            MetricLabel.typedTexts.map { type, _ in
                """
                SELECT '\(scope).' || key AS label, series_id
                FROM matched JOIN \(owner.tables)_\(type) USING (\(owner.id))
                JOIN attribute_keys USING (key_id)
                """
            }
        }
        statement.text = """
            WITH \(series)
            SELECT label, count(DISTINCT series_id) FROM (
                \(branches.joined(separator: " UNION ALL "))) AS one
            GROUP BY label ORDER BY label COLLATE "C" LIMIT \(labelCountMax + 1)
            """
        let rows = try session.query(statement)
        writer.object { writer in
            writer.key("labels")
            writer.list { writer in
                for row in 0..<min(rows.rowCount, labelCountMax) {
                    writer.object { writer in
                        writer.member("label", text: 0, of: rows, row: row)
                        writer.member("series_count", number: 1, of: rows, row: row)
                    }
                }
            }
            writer.key("warnings")
            writer.list { writer in
                if rows.rowCount > labelCountMax {
                    writer.text("there are more labels; these are the first \(labelCountMax)")
                }
            }
        }
    }

    /// Writes the values of `label` that begin with `prefix`, with the number of series that have
    /// them, the most frequent first. Errors: `invalidParameter`, `notFound`.
    package static func writeValues(
        of labelName: String, prefix: String, limit: PageLimit, metric: String,
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        guard let label = MetricLabel(labelName) else {
            throw QueryFailure(
                .invalidParameter,
                "there is no label \"\(labelName)\"; there are service, service_namespace, "
                    + "scope_name, datapoint.KEY, resource.KEY and scope.KEY", pointer: "key")
        }
        _ = try MetricIdentity.find(metric, type: nil, in: &session)
        var statement = SQLStatement()
        let value = label.expression(in: &statement)
        let name = statement.bind(metric)
        let prefix = statement.bind(prefix)
        statement.text = """
            SELECT value, count(*) FROM (
                SELECT \(value) AS value FROM \(source)
                WHERE left(metric.name, 200) = left(\(name), 200) AND metric.name = \(name)
            ) AS one
            WHERE starts_with(value, \(prefix))
            GROUP BY value ORDER BY count(*) DESC, value COLLATE "C" LIMIT \(limit.count + 1)
            """
        let rows = try session.query(statement)
        writer.object { writer in
            writer.key("values")
            writer.list { writer in
                for row in 0..<min(rows.rowCount, limit.count) {
                    writer.object { writer in
                        writer.member("value", text: 0, of: rows, row: row)
                        writer.member("series_count", number: 1, of: rows, row: row)
                    }
                }
            }
            writer.key("warnings")
            writer.list { writer in
                if let warning = limit.warning { writer.text(warning) }
                if rows.rowCount > limit.count {
                    writer.text("there are more values; these are the most frequent")
                }
            }
        }
    }

    private static let source = FilterCompiler(.series, FieldCatalogue([])).source

    private static func matched(_ metric: String, in statement: inout SQLStatement) -> String {
        let name = statement.bind(metric)
        return """
            matched AS MATERIALIZED (
                SELECT series.series_id, series.resource_id, series.scope_id FROM \(source)
                WHERE left(metric.name, 200) = left(\(name), 200) AND metric.name = \(name))
            """
    }
}

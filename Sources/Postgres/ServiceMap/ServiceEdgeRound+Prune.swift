// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceEdgeRound {
    /// What is kept about minutes and hours besides `otel_service_edge_minutes`, by the column that
    /// says when they begin.
    private static let derived = [
        (table: "otel_service_minute_edges", column: "minute"),
        (table: "otel_service_edge_hours", column: "hour"),
        (table: "otel_service_hour_edges", column: "hour"),
        (table: "otel_service_figure_minutes", column: "minute"),
        (table: "otel_service_figures", column: "minute"),
        (table: "otel_service_figure_hours", column: "hour"),
        (table: "otel_service_hour_figures", column: "hour"),
    ]

    /// Takes out the minutes and hours of which no partition has spans any more; returns how many
    /// minutes of the map.
    ///
    /// Cost: looks by index at the times outside the partitions, where there is nothing but after a
    /// drop.
    func prune(
        keeping kept: [PartitionRange], on connection: inout PGConnection
    ) throws(DatabaseError) -> Int {
        let deletions = ServiceEdgeRound.derived.map { table, column in
            """
            , of_\(table) AS (
                DELETE FROM \(table) USING gap WHERE \(column) >= since AND \(column) < until
            )
            """
        }
        let result = try connection.query(
            """
            WITH gap AS (
                SELECT otel_time(since) AS since, otel_time(until) AS until
                FROM unnest($1::int8[], $2::int8[]) AS gap (since, until)
            ), pruned AS (
                DELETE FROM otel_service_edge_minutes USING gap
                WHERE minute >= since AND minute < until
                RETURNING minute
            )\(deletions.joined())
            SELECT count(*) FROM pruned
            """, QueryParameters(ServiceEdgeRound.gaps(between: kept).bounds),
            deadlineNs: stepDeadlineNs)
        let count = Int(result.integer(row: 0, column: 0) ?? 0)
        if count > 0 { try pruneNames(on: &connection) }
        return count
    }

    /// Takes out who calls whom no more: what no minute that is left can have.
    private func pruneNames(on connection: inout PGConnection) throws(DatabaseError) {
        _ = try connection.query(
            """
            DELETE FROM otel_service_edges_dim WHERE last_seen + \(ServiceEdgeSQL.seenEvery)
                < (SELECT coalesce(min(minute), 'infinity') FROM otel_service_edge_minutes)
            """, deadlineNs: stepDeadlineNs)
    }

    /// Deletes edges and figures of tenants whose spans are kept for a shorter time than those of
    /// everybody.
    ///
    /// Cost: where there are such rules, reads the edges and figures of the time before.
    func pruneTenants(on connection: inout PGConnection) throws(DatabaseError) {
        let policy = try connection.loadRetentionPolicy(deadlineNs: stepDeadlineNs)
        for rule in policy.tenants(.traces) {
            let kept = RetentionRule(days: rule.days)
            guard let cutOffNs = kept.cutOffNs(nowUnixNs: nowUnixNs) else { continue }
            var parameters = QueryParameters()
            parameters.append(rule.tenant)
            parameters.append(cutOffNs - ServiceEdgeLimits.minuteNs)
            parameters.append(cutOffNs - ServiceFigureRound.hourNs)
            let isTenant = "tenant = left($1, \(ServiceEdgeLimits.nameLengthMax))"
            _ = try connection.query(
                """
                WITH figures AS (
                    DELETE FROM otel_service_figures
                    WHERE \(isTenant) AND minute <= otel_time($2)
                ), hours AS (
                    DELETE FROM otel_service_hour_figures
                    WHERE \(isTenant) AND hour <= otel_time($3)
                ), hour_edges AS (
                    DELETE FROM otel_service_hour_edges
                    WHERE \(isTenant) AND hour <= otel_time($3)
                )
                DELETE FROM otel_service_minute_edges
                WHERE \(isTenant) AND minute <= otel_time($2)
                """, parameters, deadlineNs: stepDeadlineNs)
        }
    }

    /// The times that none of `ranges` has, ascending. `ranges` ascend and do not overlap.
    static func gaps(between ranges: [PartitionRange]) -> [PartitionRange] {
        var gaps: [PartitionRange] = []
        var fromNs = Int64.min
        for range in ranges {
            if fromNs < range.fromNs {
                gaps.append(PartitionRange(fromNs: fromNs, untilNs: range.fromNs))
            }
            fromNs = range.untilNs
        }
        if fromNs < Int64.max { gaps.append(PartitionRange(fromNs: fromNs, untilNs: .max)) }
        return gaps
    }
}

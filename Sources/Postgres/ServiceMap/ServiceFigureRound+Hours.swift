// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceFigureRound {
    /// Newest first.
    func addUpHours(
        into outcome: inout Outcome, on connection: inout PGConnection
    ) throws(DatabaseError) {
        let hours = try connection.addUpWholeHours(
            notIn: "otel_service_figure_hours", minutes: "otel_service_figure_minutes",
            nowUnixNs: nowUnixNs, untilNs: untilNs
        ) { (hourNs, connection) throws(DatabaseError) in
            try addUp(hourNs, on: &connection)
        }
        outcome.hourCount += hours.doneCount
        outcome.leftCount += hours.leftCount
        outcome.firstError = outcome.firstError ?? hours.firstError
    }

    /// Whose figures they are.
    private struct Owner: Hashable {
        let tenant: String
        let namespace: String
        let service: String
        let kindID: Int64

        static func isBefore(_ one: Owner, _ other: Owner) -> Bool {
            (one.tenant, one.namespace, one.service, one.kindID)
                < (other.tenant, other.namespace, other.service, other.kindID)
        }
    }

    private func addUp(
        _ hourNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) {
        try connection.withMinuteTransaction(deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            let (minutes, omittedCount) = try minutes(of: hourNs, on: &connection)
            var totals = ServiceFigureTotals<Owner>()
            for slice in ComputedPeriod.slices(of: minutes) {
                totals.add(try rows(of: slice, on: &connection), figuresFrom: 4) { rows, row in
                    Owner(
                        tenant: rows.string(row: row, column: 0),
                        namespace: rows.string(row: row, column: 1),
                        service: rows.string(row: row, column: 2),
                        kindID: rows.integer(row: row, column: 3) ?? 0)
                }
            }
            try store(totals, of: hourNs, omittedCount: omittedCount, on: &connection)
        }
    }

    private func minutes(
        of hourNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) -> (minutes: [ComputedPeriod], omittedCount: Int64) {
        var parameters = QueryParameters()
        parameters.append(hourNs)
        let known = try connection.query(
            """
            SELECT otel_unix_nano(minute), latency_bucket_count, omitted_row_count
            FROM otel_service_figure_minutes
            WHERE minute >= otel_time($1) AND minute < otel_time($1) + interval '1 hour'
            ORDER BY minute
            """, parameters, deadlineNs: stepDeadlineNs)
        var omittedCount: Int64 = 0
        var minutes: [ComputedPeriod] = []
        for row in 0..<known.rowCount {
            omittedCount += known.integer(row: row, column: 2) ?? 0
            minutes.append(
                ComputedPeriod(
                    startUnixNs: known.integer(row: row, column: 0) ?? 0,
                    lengthNs: ServiceEdgeLimits.minuteNs,
                    elementCount: Int(known.integer(row: row, column: 1) ?? 0)))
        }
        return (minutes, omittedCount)
    }

    /// Of minutes that follow one another.
    private func rows(
        of minutes: ArraySlice<ComputedPeriod>, on connection: inout PGConnection
    ) throws(DatabaseError) -> QueryResult {
        var parameters = QueryParameters()
        parameters.append(minutes.first?.startUnixNs ?? 0)
        parameters.append(minutes.last?.endUnixNs ?? 0)
        return try connection.query(
            """
            SELECT \(ServiceFigureSQL.identity), sum(call_count)::int8, sum(error_count)::int8,
                sum(latency_sum_nanos), string_agg(latency_buckets, ''::bytea)
            FROM otel_service_figures WHERE minute >= otel_time($1) AND minute < otel_time($2)
            GROUP BY \(ServiceFigureSQL.identity)
            ORDER BY sum(call_count) DESC LIMIT \(ServiceEdgeLimits.figuresPerHourMax)
            """, parameters, deadlineNs: stepDeadlineNs)
    }

    private func store(
        _ totals: ServiceFigureTotals<Owner>, of hourNs: Int64, omittedCount: Int64,
        on connection: inout PGConnection
    ) throws(DatabaseError) {
        let ordered = totals.ordered(by: Owner.isBefore)
        let kept = ordered.prefix(ServiceEdgeLimits.figuresPerHourMax)
        var texts = (0..<3).map { _ in ArrayParameter(.text) }
        var numbers = (0..<3).map { _ in ArrayParameter(.int8) }
        var (sums, buckets) = (ArrayParameter(.float8), ArrayParameter(.bytea))
        var bucketCount = 0
        for (owner, total) in kept {
            texts[0].append(owner.tenant)
            texts[1].append(owner.namespace)
            texts[2].append(owner.service)
            numbers[0].append(owner.kindID)
            numbers[1].append(total.callCount)
            numbers[2].append(total.errorCount)
            sums.append(total.latencySumNs)
            let packed = total.latency.packed()
            buckets.append(packed)
            bucketCount += packed.count / LatencyHistogram.packedBucketSizeBytes
        }
        var parameters = QueryParameters(texts + numbers + [sums, buckets])
        parameters.append(hourNs)
        parameters.append(Int64(kept.count))
        parameters.append(omittedCount + Int64(ordered.count - kept.count))
        parameters.append(Int64(bucketCount))
        var hour = QueryParameters()
        hour.append(hourNs)
        _ = try connection.query(
            "DELETE FROM otel_service_hour_figures WHERE hour = otel_time($1)", hour,
            deadlineNs: stepDeadlineNs)
        _ = try connection.query(
            ServiceFigureRound.hourStatement, parameters, deadlineNs: stepDeadlineNs)
    }

    private static let hourStatement = """
        WITH stored AS (
            INSERT INTO otel_service_hour_figures (hour, \(ServiceFigureSQL.identity), call_count,
                error_count, latency_sum_nanos, latency_buckets, ordinal)
            SELECT otel_time($9), one.*
            FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[],
                $7::float8[], $8::bytea[]) WITH ORDINALITY AS one
        )
        INSERT INTO otel_service_figure_hours
            (hour, row_count, omitted_row_count, latency_bucket_count)
        VALUES (otel_time($9), $10, $11, $12)
        """
}

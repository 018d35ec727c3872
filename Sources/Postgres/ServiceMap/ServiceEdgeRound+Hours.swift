// SPDX-License-Identifier: Apache-2.0
internal import Base

extension ServiceEdgeRound {
    /// Adds up the hours of which all minutes are in the map, newest first.
    ///
    /// Returns the first error that is about one hour. Errors: those after which the connection
    /// cannot go on.
    func addUpHours(
        untilNs: UInt64, into outcome: inout Outcome, on connection: inout PGConnection
    ) throws(DatabaseError) -> DatabaseError? {
        var firstError: DatabaseError?
        let due = try connection.wholeHours(
            notIn: "otel_service_edge_hours", minutes: "otel_service_edge_minutes",
            nowUnixNs: nowUnixNs, deadlineNs: stepDeadlineNs)
        for (done, hourNs) in due.enumerated() {
            if connection.stop.isFired { throw .stopped() }
            guard Clock.monotonicNs < untilNs else {
                outcome.leftCount += due.count - done
                break
            }
            do throws(DatabaseError) {
                try addUp(hourNs, on: &connection)
                outcome.hourCount += 1
            } catch {
                guard connection.isUsable, error.disposition != .stopped else { throw error }
                firstError = firstError ?? error
            }
        }
        return firstError
    }

    /// Tenant by tenant, so that no more than the edges of one have to be held.
    private func addUp(
        _ hourNs: Int64, on connection: inout PGConnection
    ) throws(DatabaseError) {
        try connection.withMinuteTransaction(deadlineNs: stepDeadlineNs) {
            connection throws(DatabaseError) in
            var hour = QueryParameters()
            hour.append(hourNs)
            _ = try connection.query(
                "DELETE FROM otel_service_hour_edges WHERE hour = otel_time($1)", hour,
                deadlineNs: stepDeadlineNs)
            let tenants = try connection.query(
                """
                SELECT DISTINCT tenant FROM otel_service_minute_edges
                \(ServiceEdgeRound.isOfHour)
                """, hour, deadlineNs: stepDeadlineNs)
            var (edgeCount, omittedCount) = (0, 0)
            for row in 0..<tenants.rowCount {
                hour = QueryParameters()
                hour.append(hourNs)
                hour.append(tenants.string(row: row, column: 0))
                let (stored, omitted) = try addUp(hourNs, hour, on: &connection)
                edgeCount += stored
                omittedCount += omitted
            }
            try note(
                hourNs, edgeCount: edgeCount, omittedCount: omittedCount, on: &connection)
        }
    }

    private static let isOfHour =
        "WHERE minute >= otel_time($1) AND minute < otel_time($1) + interval '1 hour'"

    /// `tenantHour` is the begin of the hour and a tenant. Returns how many edges were stored, and
    /// left out.
    private func addUp(
        _ hourNs: Int64, _ tenantHour: QueryParameters, on connection: inout PGConnection
    ) throws(DatabaseError) -> (stored: Int, omitted: Int) {
        let minutes = try connection.query(
            """
            SELECT edges FROM otel_service_minute_edges
            \(ServiceEdgeRound.isOfHour) AND tenant = $2 ORDER BY minute
            """, tenantHour, deadlineNs: stepDeadlineNs)
        // No more than sixty minutes may have.
        var totals = EdgeTotals(edgeCountMax: .max)
        for row in 0..<minutes.rowCount {
            totals.add(PackedEdges(edges: minutes.bytes(row: row, column: 0)))
        }
        let edges = totals.most(ServiceEdgeLimits.edgesPerHourMax)
        var packer = EdgePacker()
        for start in stride(from: 0, to: edges.count, by: ServiceEdgeLimits.latenciesAtOnceMax) {
            if connection.stop.isFired { throw .stopped() }
            let part = edges[start...].prefix(ServiceEdgeLimits.latenciesAtOnceMax)
            let latencies = try latencies(of: part, hourNs, tenantHour, on: &connection)
            for edge in part { packer.append(edge, totals[edge], latencies[edge]) }
        }
        var stored = tenantHour
        stored.append(packer.edges)
        stored.append(packer.latencyBuckets)
        _ = try connection.query(
            """
            INSERT INTO otel_service_hour_edges (hour, tenant, edges, latency_buckets)
            VALUES (otel_time($1), $2, $3, $4)
            """, stored, deadlineNs: stepDeadlineNs)
        return (edges.count, totals.count - edges.count)
    }

    private func latencies(
        of edges: ArraySlice<Int64>, _ hourNs: Int64, _ tenantHour: QueryParameters,
        on connection: inout PGConnection
    ) throws(DatabaseError) -> EdgeLatencies {
        var latencies = EdgeLatencies(of: edges)
        let partNs = ServiceEdgeLimits.latencyMinutesMax * ServiceEdgeLimits.minuteNs
        for startNs in stride(
            from: hourNs, to: hourNs + ServiceEdgeLimits.hourNs, by: Int(partNs))
        {
            var parameters = tenantHour
            parameters.append(startNs)
            parameters.append(startNs + partNs)
            let minutes = try connection.query(
                """
                SELECT edges, latency_buckets FROM otel_service_minute_edges
                \(ServiceEdgeRound.isOfHour) AND tenant = $2
                    AND minute >= otel_time($3) AND minute < otel_time($4)
                """, parameters, deadlineNs: stepDeadlineNs)
            for row in 0..<minutes.rowCount {
                latencies.add(
                    PackedEdges(
                        edges: minutes.bytes(row: row, column: 0),
                        latencyBuckets: minutes.bytes(row: row, column: 1)))
            }
        }
        return latencies
    }

    private func note(
        _ hourNs: Int64, edgeCount: Int, omittedCount: Int, on connection: inout PGConnection
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(hourNs)
        parameters.append(Int64(edgeCount))
        parameters.append(Int64(omittedCount))
        _ = try connection.query(
            """
            INSERT INTO otel_service_edge_hours (hour, edge_count, omitted_edge_count)
            SELECT otel_time($1), $2, $3 + sum(omitted_edge_count)
            FROM otel_service_edge_minutes \(ServiceEdgeRound.isOfHour)
            """, parameters, deadlineNs: stepDeadlineNs)
    }
}

extension PGConnection {
    /// Begins of hours that have all sixty of their minutes in the table `minutes`, and are not in
    /// the table `hours`, in Unix nanoseconds, newest first. None before the second look at its
    /// last minute, which computes that anew in any case.
    mutating func wholeHours(
        notIn hours: String, minutes: String, nowUnixNs: Int64, deadlineNs: UInt64
    ) throws(DatabaseError) -> [Int64] {
        let secondLookNs = ServiceEdgeLimits.looksAfterNs[1]
        var parameters = QueryParameters()
        parameters.append(nowUnixNs - secondLookNs - ServiceEdgeLimits.hourNs)
        let result = try query(
            """
            SELECT otel_unix_nano(hour.hour)
            FROM (SELECT date_trunc('hour', min(minute), 'UTC') FROM \(minutes)) AS first (start)
            CROSS JOIN LATERAL generate_series(first.start, otel_time($1), interval '1 hour')
                AS hour
            WHERE NOT EXISTS (SELECT FROM \(hours) AS known WHERE known.hour = hour.hour)
                AND (SELECT count(*) FROM \(minutes)
                    WHERE minute >= hour.hour AND minute < hour.hour + interval '1 hour'
                        AND computed_at >= minute + interval '1 minute'
                            + \(secondLookNs / 1_000) * interval '1 microsecond') = 60
            ORDER BY hour.hour DESC
            """, parameters, deadlineNs: deadlineNs)
        return (0..<result.rowCount).compactMap { result.integer(row: $0, column: 0) }
    }
}

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
        let hours = try connection.addUpWholeHours(
            notIn: "otel_service_edge_hours", minutes: "otel_service_edge_minutes",
            nowUnixNs: nowUnixNs, untilNs: untilNs
        ) { (hourNs, connection) throws(DatabaseError) in
            try addUp(hourNs, on: &connection)
        }
        outcome.hourCount += hours.doneCount
        outcome.leftCount += hours.leftCount
        return hours.firstError
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
        // No more than sixty minutes may have.
        var totals = EdgeTotals(edgeCountMax: .max)
        totals.add(
            try connection.query(
                """
                SELECT edges FROM otel_service_minute_edges
                \(ServiceEdgeRound.isOfHour) AND tenant = $2 ORDER BY minute
                """, tenantHour, deadlineNs: stepDeadlineNs))
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
            latencies.add(
                try connection.query(
                    """
                    SELECT edges, latency_buckets FROM otel_service_minute_edges
                    \(ServiceEdgeRound.isOfHour) AND tenant = $2
                        AND minute >= otel_time($3) AND minute < otel_time($4)
                    """, parameters, deadlineNs: stepDeadlineNs))
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

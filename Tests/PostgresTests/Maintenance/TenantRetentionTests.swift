// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Testing

@testable import Postgres

private let hourNs = PartitionName.hourNs
private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let startNs: Int64 = 20_778 * dayNs

// Goal: of a tenant with a shorter time, exactly the rows that are too old go, of all signals, and
// of nobody else. Method: tenants with the same rows, and small batches.
struct TenantRetentionTests {
    /// Resources 1 and 2 belong to tenant `a`, 3 to `b`, 4 to the tenant with the number 5.
    private func database() throws -> Session {
        let session = try ScratchDatabase().connect()
        try session.run(
            """
            INSERT INTO attribute_keys (key) VALUES ('tenant.id'), ('service.name');
            INSERT INTO otel_resources_dim (resource_hash)
                SELECT sha256(n::text::bytea) FROM generate_series(1, 4) AS n;
            INSERT INTO otel_resource_attrs_string (resource_id, key_id, value)
                VALUES (1, 1, 'a'), (2, 1, 'a'), (3, 1, 'b'), (3, 2, 'a');
            INSERT INTO otel_resource_attrs_int VALUES (4, 1, 5);
            INSERT INTO otel_metrics_dim (metric_hash, metric_identity_hash, name, metric_type_id)
                VALUES (sha256('m'), sha256('m'), 'm', 5);
            INSERT INTO otel_metric_series_dim (series_hash, metric_id, resource_id)
                SELECT sha256(n::text::bytea), 1, n FROM generate_series(1, 4) AS n
            """)
        for table in [FactTable.spans, .logs, .numberPoints] {
            try session.makePartitions((0..<3).map { startNs + $0 * dayNs }, of: table)
        }
        for day in 0..<Int64(3) {
            for resource in 1...4 {
                let timeNs = startNs + day * dayNs
                try session.insertSpans(10, at: timeNs, resource: resource)
                try session.insertLogs(10, at: timeNs, resource: resource)
                try session.run(
                    """
                    INSERT INTO otel_metrics_data_points_number (time_unix_nano, series_id)
                    SELECT \(timeNs) + n, \(resource) FROM generate_series(0, 9) AS n
                    """)
            }
        }
        return session
    }

    private func set(_ session: Session, _ signal: Signal, _ tenant: String, days: Int) throws {
        try session.connection.setRetention(
            signal, tenant: tenant, days: days, deadlineNs: farDeadlineNs)
    }

    private func deletions(
        _ session: Session, nowNs: Int64, attribute: String = "tenant.id", batch: Int64 = 7
    ) throws -> [TenantRetention.Deletion] {
        var retention = TenantRetention(nowUnixNs: nowNs, attribute: attribute)
        retention.batchRowCount = batch
        retention.pauseMs = 0
        let found = try retention.run(on: &session.connection, untilNs: farDeadlineNs)
        return try #require(found)
    }

    /// Rows per resource of a table.
    private func rows(_ session: Session, _ table: FactTable) throws -> [Int64] {
        try (1...4).map { resource in
            let column = table.signal == .metrics ? "series_id" : "resource_id"
            return try session.integer(
                "SELECT count(*) FROM \(table.name) WHERE \(column) = \(resource)")
        }
    }

    @Test func onlyTheTenantsOldRowsGo() throws {
        let session = try database()
        for signal in Signal.allCases { try set(session, signal, "a", days: 1) }
        // Five rows of the second day are too old, and five are not.
        let nowNs = startNs + 2 * dayNs + 5
        let found = try deletions(session, nowNs: nowNs)
        #expect(
            found == Signal.allCases.map { .init(signal: $0, tenant: "a", rowCount: 30) })
        for table in [FactTable.spans, .logs, .numberPoints] {
            #expect(try rows(session, table) == [15, 15, 30, 30])
        }
        #expect(try deletions(session, nowNs: nowNs) == [])
        let logged = try session.texts(
            "SELECT detail::text FROM otel_maintenance_log WHERE action = 'delete_rows'")
        #expect(logged.count == 3)
        #expect(logged[0] == #"{"rows": 30, "reason": "older than a day", "tenant": "a"}"#)
    }

    @Test func signalsAndTenantsAreApart() throws {
        let session = try database()
        try set(session, .logs, "b", days: 1)
        try set(session, .logs, "5", days: 2)
        try set(session, .traces, "nobody", days: 1)
        let found = try deletions(session, nowNs: startNs + 3 * dayNs, batch: 1_000)
        #expect(
            found == [
                .init(signal: .logs, tenant: "5", rowCount: 10),
                .init(signal: .logs, tenant: "b", rowCount: 20),
            ])
        #expect(try rows(session, .logs) == [30, 30, 10, 20])
        #expect(try rows(session, .spans) == [30, 30, 30, 30])
    }

    @Test func attributeIsConfigurable() throws {
        let session = try database()
        try set(session, .traces, "a", days: 1)
        let found = try deletions(
            session, nowNs: startNs + 3 * dayNs, attribute: "service.name")
        #expect(found == [.init(signal: .traces, tenant: "a", rowCount: 20)])
        #expect(try rows(session, .spans) == [30, 30, 10, 30])
    }

    /// Somebody has a partition for himself: the others' rows go, and his are left for later.
    @Test func lockedPartitionIsPassedBy() throws {
        let session = try database()
        try set(session, .traces, "b", days: 1)
        let holder = try session.sibling()
        holder.connection.begin()
        try holder.run("LOCK TABLE otel_spans_fact_p20261121 IN SHARE MODE")
        let nowNs = startNs + 3 * dayNs
        #expect(
            try deletions(session, nowNs: nowNs) == [
                .init(signal: .traces, tenant: "b", rowCount: 10)
            ])
        try holder.connection.commit(deadlineNs: farDeadlineNs)
        #expect(
            try deletions(session, nowNs: nowNs) == [
                .init(signal: .traces, tenant: "b", rowCount: 10)
            ])
    }
}

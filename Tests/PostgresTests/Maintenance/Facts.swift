// SPDX-License-Identifier: Apache-2.0
import Base
import Copy

@testable import Postgres

/// Rows and partitions for the tests of maintenance.
extension Session {
    /// Makes the partitions of `table` that begin at `startsNs`.
    func makePartitions(
        _ startsNs: [Int64], of table: FactTable = .spans, interval: PartitionInterval = .oneDay
    ) throws {
        let maker = PartitionMaker(interval: interval, cache: PartitionCache())
        try maker.ensure(
            table: table.name, startsNs: startsNs, on: &connection, deadlineNs: farDeadlineNs)
    }

    /// Spans at `timeNs`, a nanosecond apart.
    func insertSpans(_ count: Int = 1, at timeNs: Int64, resource: Int = 1) throws {
        try run(
            """
            INSERT INTO otel_spans_fact (start_time_unix_nano, end_time_unix_nano, span_id,
                resource_id, trace_id, attributes)
            SELECT \(timeNs) + n, \(timeNs), n, \(resource), gen_random_uuid(),
                jsonb_build_object('n', n)
            FROM generate_series(0, \(count - 1)) AS n
            """)
    }

    func insertLogs(
        _ count: Int = 1, at timeNs: Int64, resource: Int = 1, bodySizeBytes: Int = 10
    ) throws {
        try run(
            """
            INSERT INTO otel_logs_fact (time_unix_nano, log_id, resource_id, body_text)
            SELECT \(timeNs) + n, n, \(resource), repeat('x', \(bodySizeBytes))
            FROM generate_series(0, \(count - 1)) AS n
            """)
    }

    /// As many points of both kinds.
    func insertPoints(_ count: Int, at timeNs: Int64) throws {
        try run(
            """
            INSERT INTO otel_metrics_data_points_number (time_unix_nano, series_id, value_double)
            SELECT \(timeNs) + n, n, n FROM generate_series(1, \(count)) AS n;
            INSERT INTO otel_metrics_data_points_histogram (time_unix_nano, series_id, count)
            SELECT \(timeNs) + n, n, n FROM generate_series(1, \(count)) AS n
            """)
    }

    func partitions(_ table: FactTable? = nil) throws -> [StoredPartition] {
        try connection.listPartitions(deadlineNs: farDeadlineNs)
            .filter { table == nil || $0.table == table }
    }

    /// The names and states of a table's partitions.
    func states(_ table: FactTable = .spans) throws -> [String] {
        try partitions(table).map { "\($0.name) \($0.state.rawValue)" }
    }

    func setRetention(_ signal: Signal, _ rule: RetentionRule) throws {
        try connection.setRetention(signal, rule, deadlineNs: farDeadlineNs)
    }

    /// The actions in the log and their objects, in order.
    func maintenanceActions() throws -> [String] {
        try texts(
            """
            SELECT action || ' ' || object FROM otel_maintenance_log
            WHERE action <> 'set_policy' ORDER BY entry_id
            """)
    }
}

extension RetentionRound {
    /// What a round has to say, as text.
    func events(_ session: Session) throws -> [String] {
        var events: [String] = []
        let isDone = try run(on: &session.connection) { event in
            switch event {
            case .dropped(let expiry, _): events.append("dropped \(expiry.partition.name)")
            case .finished(let finished):
                let how = finished.freedBytes == nil ? "detached" : "dropped"
                events.append("finished \(finished.partition.name) \(how)")
            case .postponed(let expiry, _): events.append("postponed \(expiry.partition.name)")
            }
        }
        return isDone ? events : ["another session is at it"]
    }
}

extension Session {
    /// Another session with the same database.
    func sibling() throws -> Session {
        try Session(connection.settings)
    }
}

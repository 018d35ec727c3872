// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Copy
import Logging
import Rows
import Synchronization
import Testing

@testable import Collector
@testable import Postgres

private let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"]
private let hourNs: UInt64 = 3_600_000_000_000
private let stepNs = 6 * hourNs

/// A clock that stands still until it is moved.
private final class HandClock: Sendable {
    private let ns: Mutex<UInt64>

    init(_ ns: UInt64) { self.ns = Mutex(ns) }

    var nowNs: UInt64 { ns.withLock { $0 } }
    func advance(_ stepNs: UInt64) { ns.withLock { $0 += stepNs } }

    var source: TimeSource { TimeSource(monotonicNs: { self.nowNs }, unixNs: { self.nowNs }) }
}

private let hasPostgres =
    (try? PostgresPrograms.find(
        chosenFolder: nil, path: "/usr/local/bin:/usr/bin:/bin", dataVersion: nil)) != nil

// Goal: left alone, the janitor keeps partitions ready, closes and drops them, deletes what tenants
// want deleted, and notes what was seen. Method: ten days under a clock of the test's, which end
// now: the janitor believes no clock that is ahead of the server's.
@Suite(.enabled(if: hasPostgres, "PostgreSQL's server programs are not installed"))
struct JanitorTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func tenDays() throws {
        let path = "/tmp/starling-janitor-\(getpid())"
        defer { try? FileSystem.removeTree(path) }
        let postgres = try EmbeddedPostgres(
            options: .init(stateFolder: path), environment: environment)
        defer { postgres.stop() }
        try postgres.start(connectionCount: 4, logger: logger)
        let database = DatabaseSettings(url: postgres.conninfo)
        var connection = try PGConnection.connect(database, stop: StopSignal())
        try MigrationRunner().run(on: &connection, deadlineNs: Deadline.inMs(60_000))
        try prepare(&connection)

        let startNs = (Clock.unixNs - 40 * stepNs) / stepNs * stepNs
        let clock = HandClock(startNs + hourNs)
        let janitor = self.janitor(database, clock)
        var schedules = JanitorLane.allCases.map { JanitorSchedule($0, janitor.settings) }
        for step in 0..<40 {
            if step > 0 { clock.advance(stepNs) }
            janitor.sightings.note(1, .resources)
            // Upkeep is the first lane: the partition of the present is there for the rows.
            janitor.runDue(&schedules[0])
            try insertSpans(at: Int64(clock.nowNs), on: &connection)
            janitor.runDue(&schedules[1])
            janitor.runDue(&schedules[2])
            try check(janitor, startNs: Int64(startNs), step: step, on: &connection)
        }
    }

    private func janitor(_ database: DatabaseSettings, _ clock: HandClock) -> Janitor {
        var settings = JanitorSettings(.defaults)
        settings.aheadNs = Int64(24 * hourNs)
        settings.tenantAttribute = "team"
        return Janitor(
            settings: settings, database: database,
            partitions: PartitionMaker(interval: .sixHours, cache: PartitionCache()),
            accepted: AcceptedTimes(pastNs: 30 * 24 * hourNs, futureNs: 24 * hourNs),
            sightings: SightingNotes(),
            losses: LossNotes(tenantAttribute: "team", counters: Counters()),
            counters: Counters(),
            time: clock.source, stop: StopSignal(), logger: logger)
    }

    /// Traces are kept for three days, those of team `b` (resource 2) for one.
    private func prepare(_ connection: inout PGConnection) throws {
        let deadlineNs = Deadline.inMs(60_000)
        try connection.execute(
            """
            INSERT INTO attribute_keys (key) VALUES ('team');
            INSERT INTO otel_resources_dim (resource_hash, last_seen)
                VALUES (sha256('1'), now() - interval '1 day'),
                    (sha256('2'), now() - interval '1 day');
            INSERT INTO otel_resource_attrs_string VALUES (1, 1, 'a'), (2, 1, 'b')
            """, deadlineNs: deadlineNs)
        try connection.setRetention(.traces, RetentionRule(days: 3), deadlineNs: deadlineNs)
        try connection.setRetention(.traces, tenant: "b", days: 1, deadlineNs: deadlineNs)
    }

    private func insertSpans(at nowNs: Int64, on connection: inout PGConnection) throws {
        try connection.execute(
            """
            INSERT INTO otel_spans_fact (start_time_unix_nano, end_time_unix_nano, span_id,
                resource_id, trace_id)
            SELECT \(nowNs), \(nowNs), n, 1 + n % 2, gen_random_uuid()
            FROM generate_series(0, 9) AS n
            """, deadlineNs: Deadline.inMs(60_000))
    }

    /// Rows are an hour into each interval of six, and so is the present.
    private func check(
        _ janitor: Janitor, startNs: Int64, step: Int, on connection: inout PGConnection
    ) throws {
        let partitions = try connection.listPartitions(deadlineNs: Deadline.inMs(60_000))
            .filter { $0.table == .spans }
        // Three days are twelve intervals, and the thirteenth is not over yet; four lie ahead.
        let keptCount = min(step, 12) + 1
        #expect(partitions.count == keptCount + 4)
        let firstNs = startNs + Int64(step + 1 - keptCount) * Int64(stepNs)
        #expect(partitions.first?.range.fromNs == firstNs)
        #expect(
            partitions.map(\.state)
                == Array(repeating: .closed, count: keptCount - 1)
                + Array(repeating: .live, count: 5))
        #expect(try rowCount(resource: 1, on: &connection) == Int64(keptCount * 5))
        // A row is a day old at the fourth look, and older at the fifth.
        #expect(try rowCount(resource: 2, on: &connection) == Int64((min(step, 4) + 1) * 5))
        let window = janitor.accepted.window(of: .traces, nowUnixNs: Clock.unixNs)
        #expect(Clock.unixNs - window.minUnixNs < 73 * hourNs)
        let seen = try connection.query(
            "SELECT last_seen > now() - interval '1h' FROM otel_resources_dim ORDER BY resource_id",
            deadlineNs: Deadline.inMs(60_000))
        #expect(seen.bool(row: 0, column: 0) == true && seen.bool(row: 1, column: 0) == false)
    }

    private func rowCount(
        resource: Int, on connection: inout PGConnection
    ) throws -> Int64? {
        try connection.query(
            "SELECT count(*) FROM otel_spans_fact WHERE resource_id = \(resource)",
            deadlineNs: Deadline.inMs(60_000)
        ).integer(row: 0, column: 0)
    }
}

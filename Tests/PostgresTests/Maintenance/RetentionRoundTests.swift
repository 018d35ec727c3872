// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Testing

@testable import Postgres

private let hourNs = PartitionName.hourNs
private let dayNs = PartitionName.dayNs
/// 2026-11-21T00:00:00Z
private let startNs: Int64 = 20_778 * dayNs

// Goal: over time, what is stored is exactly what the policy says. Method: ten days under a clock
// of our own, with rows all the time.
struct RetentionRoundTests {
    private func round(_ nowNs: Int64) -> RetentionRound {
        RetentionRound(nowUnixNs: nowNs, cache: PartitionCache())
    }

    @Test func defaultPolicyIsThirtyDaysOfEverything() throws {
        let session = try ScratchDatabase().connect()
        let policy = try session.connection.loadRetentionPolicy(deadlineNs: farDeadlineNs)
        for signal in Signal.allCases {
            #expect(policy[signal] == RetentionRule(days: 30))
            #expect(policy.tenants(signal).isEmpty)
        }
    }

    @Test func policyIsStoredAndNoted() throws {
        let session = try ScratchDatabase().connect()
        let rule = RetentionRule(days: nil, sizeBytesMax: 1 << 40)
        try session.setRetention(.logs, rule)
        for days in [7, 3] {
            try session.connection.setRetention(
                .logs, tenant: "O'Hara", days: days, deadlineNs: farDeadlineNs)
        }
        var policy = try session.connection.loadRetentionPolicy(deadlineNs: farDeadlineNs)
        #expect(policy[.logs] == rule)
        #expect(policy.tenants(.logs) == [TenantRule(tenant: "O'Hara", days: 3)])
        #expect(policy[.traces] == RetentionRule(days: 30))
        try session.connection.setRetention(
            .logs, tenant: "O'Hara", days: nil, deadlineNs: farDeadlineNs)
        policy = try session.connection.loadRetentionPolicy(deadlineNs: farDeadlineNs)
        #expect(policy.tenants(.logs).isEmpty)
        let noted = try session.texts(
            "SELECT coalesce(detail::text, '') FROM otel_maintenance_log ORDER BY entry_id")
        #expect(
            noted == [
                #"{"bytes": 1099511627776}"#, #"{"days": 7, "tenant": "O'Hara"}"#,
                #"{"days": 3, "tenant": "O'Hara"}"#, #"{"tenant": "O'Hara"}"#,
            ])
    }

    @Test func tenDays() throws {
        let session = try ScratchDatabase().connect()
        let days: Int64 = 3
        let limitBytes: Int64 = 2 << 20
        try session.setRetention(.traces, RetentionRule(days: Int(days)))
        try session.setRetention(.logs, RetentionRule(sizeBytesMax: limitBytes))
        let maker = PartitionMaker(interval: .sixHours, cache: PartitionCache())
        for step in 0..<Int64(40) {
            let nowNs = startNs + step * 6 * hourNs + hourNs
            _ = try maker.ensureAhead(
                tables: [FactTable.spans.name, FactTable.logs.name], nowUnixNs: nowNs,
                aheadNs: dayNs, on: &session.connection, deadlineNs: farDeadlineNs)
            try session.insertSpans(10, at: nowNs)
            try session.insertLogs(400, at: nowNs, bodySizeBytes: 1_000)
            let before = try session.partitions(.logs)
            _ = try round(nowNs).events(session)
            try checkAge(session, nowNs: nowNs, days: days)
            try checkSize(session, before: before, nowNs: nowNs, limitBytes: limitBytes)
        }
        let lostSpans = 400 - (try session.integer("SELECT count(*) FROM otel_spans_fact"))
        let logged = try session.integer(
            """
            SELECT count(*) FROM otel_maintenance_log
            WHERE action = 'drop_partition' AND signal = 'traces' AND bytes_freed > 0
                AND detail ->> 'reason' = 'older than 3 days' AND duration_ms >= 0
            """)
        #expect(lostSpans == logged * 10 && logged == 27)
    }

    /// Each partition has rows in its second hour only, and is there unless all of it is too old.
    private func checkAge(_ session: Session, nowNs: Int64, days: Int64) throws {
        let cutOffNs = nowNs - days * dayNs
        let oldest = try session.partitions(.spans).first
        #expect(oldest.map { $0.range.untilNs > cutOffNs } == true)
        let firstKeptNs = max(startNs, (cutOffNs / (6 * hourNs)) * 6 * hourNs)
        #expect(oldest?.range.fromNs == firstKeptNs)
        let keptSteps = (nowNs - firstKeptNs) / (6 * hourNs) + 1
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == keptSteps * 10)
    }

    /// The limit holds, and no partition went that did not have to.
    private func checkSize(
        _ session: Session, before: [StoredPartition], nowNs: Int64, limitBytes: Int64
    ) throws {
        let after = try session.partitions(.logs)
        let sizeBytes = after.reduce(0) { $0 + $1.sizeBytes }
        #expect(sizeBytes <= limitBytes)
        let keptNames = Set(after.map(\.name))
        let dropped = before.filter { !keptNames.contains($0.name) }
        #expect(dropped.map(\.name) == before.prefix(dropped.count).map(\.name))
        if let last = dropped.last { #expect(sizeBytes + last.sizeBytes > limitBytes) }
        #expect(after.contains { $0.range.contains(nowNs) })
    }

    // Days and bytes for one signal with several tables: five quiet days, in which age decides, and
    // five loud ones, in which the size does.
    @Test func tenDaysWithBothLimits() throws {
        let session = try ScratchDatabase().connect()
        let (days, limitBytes) = (Int64(3), Int64(2 << 20))
        let rule = RetentionRule(days: Int(days), sizeBytesMax: limitBytes)
        try session.setRetention(.metrics, rule)
        let tables = [FactTable.numberPoints, .histogramPoints]
        let maker = PartitionMaker(interval: .sixHours, cache: PartitionCache())
        for step in 0..<Int64(40) {
            let nowNs = startNs + step * 6 * hourNs + hourNs
            _ = try maker.ensureAhead(
                tables: tables.map(\.name), nowUnixNs: nowNs, aheadNs: dayNs,
                on: &session.connection, deadlineNs: farDeadlineNs)
            try session.insertPoints(step < 20 ? 10 : 3_000, at: nowNs)
            let before = try session.partitions().filter { $0.table.signal == .metrics }
            _ = try round(nowNs).events(session)
            let after = try session.partitions().filter { $0.table.signal == .metrics }
            try checkBoth(before, after, nowNs: nowNs, days: days, limitBytes: limitBytes)
        }
        let reasons = try session.texts(
            """
            SELECT DISTINCT detail ->> 'reason' FROM otel_maintenance_log
            WHERE action = 'drop_partition' AND signal = 'metrics' ORDER BY 1
            """)
        #expect(
            reasons == ["older than 3 days", "the signal takes more than \(limitBytes) bytes"])
    }

    /// What is too old went; of the rest the oldest, and none that did not have to.
    private func checkBoth(
        _ before: [StoredPartition], _ after: [StoredPartition], nowNs: Int64, days: Int64,
        limitBytes: Int64
    ) throws {
        let cutOffNs = nowNs - days * dayNs
        let keptNames = Set(after.map(\.name))
        let young = before.filter { $0.range.untilNs > cutOffNs }
        #expect(after.allSatisfy { $0.range.untilNs > cutOffNs })
        let forSize = young.filter { !keptNames.contains($0.name) }
        let sizeBytes = after.reduce(0) { $0 + $1.sizeBytes }
        #expect(sizeBytes <= limitBytes)
        #expect(after.count { $0.range.contains(nowNs) } == 2)
        guard let last = forSize.max(by: { $0.range.untilNs < $1.range.untilNs }) else { return }
        #expect(sizeBytes + last.sizeBytes > limitBytes)
        let oldestKeptNs = after.map(\.range.untilNs).min() ?? .max
        #expect(last.range.untilNs <= oldestKeptNs)
    }

    @Test func twoDaemonsDoNotGetInEachOthersWay() throws {
        let database = try ScratchDatabase()
        let (first, second) = (try database.connect(), try database.connect())
        try first.makePartitions([startNs])
        let other = try first.connection.withJob(.retention, deadlineNs: farDeadlineNs) {
            _ throws(DatabaseError) in
            try? round(startNs + 40 * dayNs).events(second)
        }
        #expect(other == ["another session is at it"])
        #expect(
            try round(startNs + 40 * dayNs).events(second) == [
                "dropped otel_spans_fact_p20261121"
            ])
    }

    @Test func changedIntervalKeepsWhatThePolicySays() throws {
        let session = try ScratchDatabase().connect()
        try session.setRetention(.traces, RetentionRule(days: 1))
        // Two days of days, then restarts with hours, weeks and quarters of days.
        try session.makePartitions([startNs, startNs + dayNs])
        try session.insertSpans(5, at: startNs + dayNs - 10)
        try session.insertSpans(5, at: startNs + dayNs)
        let hours = (0..<Int64(3)).map { startNs + 2 * dayNs + $0 * hourNs }
        try session.makePartitions(hours, interval: .oneHour)
        for hour in hours { try session.insertSpans(5, at: hour) }
        let weekNs = PartitionInterval.sevenDays.start(of: startNs)
        try session.makePartitions([weekNs, weekNs + 7 * dayNs], interval: .sevenDays)
        try session.insertSpans(5, at: startNs + 2 * dayNs + 4 * hourNs)
        try session.makePartitions([weekNs + 14 * dayNs], interval: .sixHours)
        try session.insertSpans(5, at: weekNs + 14 * dayNs)
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 35)

        // What the week had left, 16th to 20th, and the day of the 21st are over on the 23rd.
        var nowNs = startNs + 2 * dayNs + hourNs / 2
        #expect(
            try round(nowNs).events(session) == [
                "dropped otel_spans_fact_p20261116", "dropped otel_spans_fact_p20261121",
            ])
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 30)
        nowNs = startNs + 3 * dayNs + 2 * hourNs
        #expect(
            try round(nowNs).events(session) == [
                "dropped otel_spans_fact_p20261122", "dropped otel_spans_fact_p20261123_00",
                "dropped otel_spans_fact_p20261123_01",
            ])
        #expect(try session.integer("SELECT count(*) FROM otel_spans_fact") == 15)
    }
}

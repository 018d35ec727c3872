// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Postgres

/// What the maintenance verbs do with the configured database.
///
/// Thread: any. Blocks on the database. Errors: `databaseUnreachable`, `schemaNotCurrent`,
/// `failed`.
package struct DatabaseMaintenance {
    let configuration: Configuration
    let settings: DatabaseSettings

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        settings = DatabaseSettings(configuration)
    }

    // MARK: Partitions

    package func partitions() throws(DaemonError) -> [Partition] {
        try withConnection { connection throws(DatabaseError) in
            try connection.listPartitions(deadlineNs: stepDeadlineNs)
        }.map { Partition($0) }
    }

    /// Makes what is missing from `pastNs` ago to `aheadNs` from now, and returns it. Nil ahead is
    /// `partitions.ahead`.
    package func ensure(
        pastNs: Int64, aheadNs: Int64?, isDryRun: Bool
    ) throws(DaemonError) -> [Partition] {
        let maker = PartitionMaker(
            interval: configuration.partitions.interval, cache: PartitionCache())
        let nowNs = Int64(Clock.unixNs)
        let fromNs = nowNs - min(pastNs, nowNs)
        let throughNs = nowNs + min(aheadNs ?? configuration.partitions.aheadNs, .max - nowNs)
        return try withConnection { connection throws(DatabaseError) in
            var made: [Partition] = []
            for table in FactTable.allCases {
                let missing = try maker.missing(
                    table: table.name, fromNs: fromNs, throughNs: throughNs, on: &connection,
                    deadlineNs: stepDeadlineNs)
                if !isDryRun {
                    try maker.ensure(
                        table: table.name,
                        startsNs: Set(
                            missing.map { maker.interval.start(of: $0.range.fromNs) }
                        ).sorted(), on: &connection, deadlineNs: stepDeadlineNs)
                }
                made += missing.map { Partition(table: table, name: $0.name, range: $0.range) }
            }
            return made
        }
    }

    /// Drops what is selected; `progress` hears how many are done, of how many, and the bytes
    /// freed.
    ///
    /// With `isDryRun` only says what would be dropped.
    package func drop(
        _ selection: Selection, isDryRun: Bool,
        progress: (_ doneCount: Int, _ count: Int, _ freedBytes: Int64) -> Void = { _, _, _ in }
    ) throws(DaemonError) -> [Drop] {
        let chosen = try choose(selection)
        guard !isDryRun, !chosen.isEmpty else { return chosen.map { Drop($0) } }
        let round = RetentionRound(nowUnixNs: Int64(Clock.unixNs), cache: PartitionCache())
        var drops = chosen.map { Drop($0) }
        var doneCount = 0
        var totalBytes: Int64 = 0
        progress(0, drops.count, 0)
        let isDone = try withConnection { connection throws(DatabaseError) in
            try round.run(dropping: chosen, on: &connection) { event in
                guard let index = drops.firstIndex(where: { $0.partition.name == event.name })
                else { return }
                drops[index].note(event)
                doneCount += 1
                totalBytes += drops[index].freedBytes ?? 0
                progress(doneCount, drops.count, totalBytes)
            }
        }
        guard isDone else { throw DatabaseMaintenance.busy }
        return drops
    }

    private static let busy = DaemonError(
        .failed, "another session is dropping partitions now; try again in a moment")

    private func choose(_ selection: Selection) throws(DaemonError) -> [Expiry] {
        let found = try withConnection { connection throws(DatabaseError) in
            (
                try connection.listPartitions(deadlineNs: stepDeadlineNs),
                try connection.loadRetentionPolicy(deadlineNs: stepDeadlineNs),
                min(
                    Int64(Clock.unixNs),
                    try connection.serverUnixNs(deadlineNs: stepDeadlineNs))
            )
        }
        let (partitions, policy, nowNs) = found
        switch selection {
        case .expired:
            return RetentionPlan.expired(partitions, policy: policy, nowUnixNs: nowNs)
        case .named(let names):
            var chosen: [Expiry] = []
            for name in names {
                guard let partition = partitions.first(where: { $0.name == name }) else {
                    throw DaemonError(
                        .failed,
                        "there is no partition \(name); `starling partitions list` shows them")
                }
                chosen.append(Expiry(partition: partition, reason: .request))
            }
            return chosen
        case .olderThan(let ageNs, let signal):
            let cutOffNs = nowNs - min(ageNs, nowNs)
            return partitions.filter {
                $0.isAttached && $0.range.untilNs <= cutOffNs
                    && (signal == nil || $0.table.signal == signal)
            }.map { Expiry(partition: $0, reason: .request) }
        }
    }

    // MARK: Policy

    /// The rules, signal by signal, tenants after the signal.
    package func policies() throws(DaemonError) -> [Policy] {
        let (partitions, policy) = try withConnection { connection throws(DatabaseError) in
            (
                try connection.listPartitions(deadlineNs: stepDeadlineNs),
                try connection.loadRetentionPolicy(deadlineNs: stepDeadlineNs)
            )
        }
        return Signal.allCases.flatMap { signal in
            let own = partitions.filter { $0.table.signal == signal }
            let oldest = own.filter(\.isAttached).map(\.range).min { $0.fromNs < $1.fromNs }
            var whole = Policy(
                signal: signal, tenant: "", days: policy[signal].days,
                sizeBytesMax: policy[signal].sizeBytesMax)
            whole.usedBytes = own.reduce(0) { $0 + $1.sizeBytes }
            whole.oldestText = oldest.map { Partition.text(unixNs: $0.fromNs) }
            let tenants = policy.tenants(signal).map {
                Policy(signal: signal, tenant: $0.tenant, days: $0.days)
            }
            return [whole] + tenants
        }
    }

    /// Stores a rule, unless `isDryRun`, and returns what expires at once by it. A rule of a tenant
    /// without days is removed.
    package func set(_ policy: Policy, isDryRun: Bool) throws(DaemonError) -> [Drop] {
        try withConnection { connection throws(DatabaseError) in
            let rule = RetentionRule(days: policy.days, sizeBytesMax: policy.sizeBytesMax)
            if !isDryRun && policy.tenant.isEmpty {
                try connection.setRetention(policy.signal, rule, deadlineNs: stepDeadlineNs)
            } else if !isDryRun {
                try connection.setRetention(
                    policy.signal, tenant: policy.tenant, days: policy.days,
                    deadlineNs: stepDeadlineNs)
            }
            guard policy.tenant.isEmpty else { return [] }
            let partitions = try connection.listPartitions(deadlineNs: stepDeadlineNs)
                .filter { $0.table.signal == policy.signal }
            return RetentionPlan.expired(
                partitions, rule: rule, nowUnixNs: Int64(Clock.unixNs)
            ).map { Drop($0) }
        }
    }

    // MARK: Connection

    func withConnection<Value>(
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DaemonError) -> Value {
        try MigratedDatabase(settings: settings).withConnection(body)
    }

    var stepDeadlineNs: UInt64 { settings.statementDeadlineNs }
}

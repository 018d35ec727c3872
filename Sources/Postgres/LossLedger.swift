// SPDX-License-Identifier: Apache-2.0
package import Base

/// What became of items.
package struct LossCounts: Sendable, Equatable {
    package var received: Int64 = 0
    package var committed: Int64 = 0
    package var deadLettered: Int64 = 0
    package var deduplicated: Int64 = 0
    package var refused: Int64 = 0
    package var replayed: Int64 = 0

    package init() {}

    package mutating func add(_ other: LossCounts) {
        received += other.received
        committed += other.committed
        deadLettered += other.deadLettered
        deduplicated += other.deduplicated
        refused += other.refused
        replayed += other.replayed
    }
}

/// Which row of the loss ledger counts them, for one source.
package struct LossKey: Sendable, Hashable {
    /// Minutes since 1970, of arrival.
    package let minute: Int64
    package let signal: Signal
    package let tenant: String

    package init(minute: Int64, signal: Signal, tenant: String) {
        self.minute = minute
        self.signal = signal
        self.tenant = tenant
    }

    package init(arrivalUnixNs: UInt64, signal: Signal, tenant: String) {
        self.init(
            minute: Int64(arrivalUnixNs / 60_000_000_000), signal: signal, tenant: tenant)
    }
}

/// Additions to `otel_loss_ledger` that one source makes in one transaction.
package struct LossEntries: Sendable {
    package let source: String
    /// Whether the source never makes others: written twice, they count once.
    package let isOnlyOne: Bool
    package private(set) var counts: [LossKey: LossCounts] = [:]

    package init(source: String) {
        self.source = source
        isOnlyOne = false
    }

    /// All that `source` ever adds.
    package init(onlyOf source: String, counts: [LossKey: LossCounts]) {
        self.source = source
        isOnlyOne = true
        self.counts = counts
    }

    package var isEmpty: Bool { counts.isEmpty }

    package mutating func add(_ key: LossKey, _ addition: LossCounts) {
        counts[key, default: LossCounts()].add(addition)
    }

    package mutating func removeAll() { counts.removeAll(keepingCapacity: true) }

    /// Appends what `statement` reads.
    func append(to parameters: inout QueryParameters) {
        var minutes = ArrayParameter(.int8)
        var signals = ArrayParameter(.text)
        var tenants = ArrayParameter(.text)
        var columns = LossEntries.columns.map { _ in ArrayParameter(.int8) }
        for (key, counts) in counts {
            minutes.append(key.minute)
            signals.append(key.signal.storedName)
            tenants.append(key.tenant)
            let values = [
                counts.received, counts.committed, counts.deadLettered, counts.deduplicated,
                counts.refused, counts.replayed,
            ]
            for (index, value) in values.enumerated() { columns[index].append(value) }
        }
        parameters.append(source)
        for array in [minutes, signals, tenants] + columns { parameters.append(array) }
    }

    /// The statement, a data-modifying one that may stand in WITH. Its parameters have the numbers
    /// from `firstNumber` on.
    static func statement(parametersFrom firstNumber: Int, isOnlyOne: Bool) -> String {
        let arrays = (1...9).map { "$\(firstNumber + $0)" }.joined(separator: ", ")
        let names = LossEntries.columns
        let sums = names.map { "\($0) = ledger.\($0) + excluded.\($0)" }
        return """
            INSERT INTO otel_loss_ledger AS ledger
                (source, minute, signal, tenant, \(names.joined(separator: ", ")))
            SELECT $\(firstNumber), to_timestamp(minute * 60), signal, tenant,
                \(names.joined(separator: ", "))
            FROM unnest(\(arrays))
                AS new (minute, signal, tenant, \(names.joined(separator: ", ")))
            ON CONFLICT (minute, signal, tenant, source)
                \(isOnlyOne ? "DO NOTHING" : "DO UPDATE SET \(sums.joined(separator: ", "))")
            """
    }

    private static let columns = [
        "received", "committed", "dead_lettered", "deduplicated", "refused", "replayed",
    ]
}

extension PGConnection {
    /// Adds to the loss ledger: in the open transaction, else in one of its own.
    package mutating func write(
        _ entries: LossEntries, deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard !entries.isEmpty else { return }
        var parameters = QueryParameters()
        entries.append(to: &parameters)
        let statement = LossEntries.statement(parametersFrom: 1, isOnlyOne: entries.isOnlyOne)
        _ = try query(statement, parameters, deadlineNs: deadlineNs)
    }

    /// Deletes what is older than 90 days.
    package mutating func pruneLossLedger(deadlineNs: UInt64) throws(DatabaseError) {
        _ = try query(
            "DELETE FROM otel_loss_ledger WHERE minute < now() - interval '90 days'",
            deadlineNs: deadlineNs)
    }
}

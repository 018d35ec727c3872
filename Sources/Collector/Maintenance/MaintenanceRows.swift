// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Copy
internal import Postgres

extension DatabaseMaintenance {
    /// A partition as people and scripts see it.
    package struct Partition: Sendable {
        package let name: String
        package let table: String
        package let signal: Signal
        /// ISO 8601 in UTC; `-infinity` and `infinity` where it has no end.
        package let fromText: String
        package let untilText: String
        package let rowCountEstimate: Int64
        package let sizeBytes: Int64
        /// `live`, `closed`, `detaching` or `detached`; see docs/operations.md.
        package let state: String
    }

    /// Which partitions to drop.
    package enum Selection: Sendable {
        /// What the policy lets go.
        case expired
        case named([String])
        /// All that are older, of one signal or of all. Nanoseconds before now.
        case olderThan(ageNs: Int64, Signal?)
    }

    /// One that was chosen.
    package struct Drop: Sendable {
        package let partition: Partition
        package let reason: String
        /// Nil: not dropped, because nothing is to be changed, or because of `fault`.
        package var freedBytes: Int64?
        package var fault: String?
    }

    /// The rule of a signal, or of a tenant in it.
    package struct Policy: Sendable {
        package let signal: Signal
        /// Empty: the whole signal.
        package let tenant: String
        package var days: Int?
        package var sizeBytesMax: Int64?
        /// On disk now; 0 for tenants, whose rows are among the others'.
        package var usedBytes: Int64 = 0
        /// Where the oldest partition begins.
        package var oldestText: String?

        package init(
            signal: Signal, tenant: String, days: Int? = nil, sizeBytesMax: Int64? = nil
        ) {
            self.signal = signal
            self.tenant = tenant
            self.days = days
            self.sizeBytesMax = sizeBytesMax
        }
    }
}

extension DatabaseMaintenance.Partition {
    init(_ stored: StoredPartition) {
        self.init(
            name: stored.name, table: stored.table.name, signal: stored.table.signal,
            fromText: Self.text(unixNs: stored.range.fromNs),
            untilText: Self.text(unixNs: stored.range.untilNs),
            rowCountEstimate: stored.rowCountEstimate, sizeBytes: stored.sizeBytes,
            state: stored.state.rawValue)
    }

    /// One that is to be made.
    init(table: FactTable, name: String, range: PartitionRange) {
        self.init(
            name: name, table: table.name, signal: table.signal,
            fromText: Self.text(unixNs: range.fromNs), untilText: Self.text(unixNs: range.untilNs),
            rowCountEstimate: 0, sizeBytes: 0, state: StoredPartition.State.live.rawValue)
    }

    /// `2026-11-21T00:00:00Z`; with milliseconds where it has some.
    static func text(unixNs: Int64) -> String {
        if unixNs == .min { return "-infinity" }
        if unixNs == .max { return "infinity" }
        guard unixNs >= 0 else { return "\(unixNs)" }  // before 1970: nanoseconds
        let text = CivilTime.text(unixNs: UInt64(unixNs))
        return text.hasSuffix(".000Z") ? text.dropLast(5) + "Z" : text
    }
}

extension DatabaseMaintenance.Drop {
    init(_ expiry: Expiry) {
        self.init(
            partition: .init(expiry.partition), reason: "\(expiry.reason)", freedBytes: nil,
            fault: nil)
    }

    mutating func note(_ event: RetentionRound.Event) {
        switch event {
        case .dropped(_, let freedBytes): self.freedBytes = freedBytes
        case .finished(let finished): freedBytes = finished.freedBytes
        case .postponed(_, let error): fault = "\(error)"
        }
    }
}

extension RetentionRound.Event {
    /// The partition it is about.
    var name: String {
        switch self {
        case .dropped(let expiry, _), .postponed(let expiry, _): expiry.partition.name
        case .finished(let finished): finished.partition.name
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy

/// A partition that is to go, and why.
package struct Expiry: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
        /// All of it is older than so many days.
        case age(days: Int)
        /// The signal takes more than so many bytes, and this is its oldest partition.
        case size(limitBytes: Int64)
        /// Somebody asked for it.
        case request
        /// An earlier drop was cut short.
        case unfinished
    }

    package let partition: StoredPartition
    package let reason: Reason

    package init(partition: StoredPartition, reason: Reason) {
        self.partition = partition
        self.reason = reason
    }
}

extension Expiry.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .age(let days): RetentionRule.ageText(days: days)
        case .size(let limitBytes): "the signal takes more than \(limitBytes) bytes"
        case .request: "asked for"
        case .unfinished: "an earlier drop was cut short"
        }
    }
}

/// Which partitions a policy lets go.
package enum RetentionPlan {
    /// Of the partitions of one signal, those that go at `nowUnixNs`, oldest first.
    ///
    /// By age: those whose whole range is too old. Then by size: the oldest, table by table as
    /// their times come, while all that stay take more than allowed. What reaches into the present
    /// or the future stays in any case: a single partition that is larger than the limit means that
    /// the limit is exceeded until its time is over.
    package static func expired(
        _ partitions: [StoredPartition], rule: RetentionRule, nowUnixNs: Int64
    ) -> [Expiry] {
        let oldestFirst = partitions.filter(\.isAttached).sorted {
            ($0.range.untilNs, $0.range.fromNs, $0.table.rawValue)
                < ($1.range.untilNs, $1.range.fromNs, $1.table.rawValue)
        }
        let cutOffNs = rule.cutOffNs(nowUnixNs: nowUnixNs) ?? .min
        let tooOldCount = oldestFirst.prefix { $0.range.untilNs <= cutOffNs }.count
        var expired = oldestFirst.prefix(tooOldCount).map {
            Expiry(partition: $0, reason: .age(days: rule.days ?? 0))
        }
        guard let limitBytes = rule.sizeBytesMax else { return expired }
        let rest = oldestFirst.dropFirst(tooOldCount)
        var sizeBytes = rest.reduce(0) { $0 + $1.sizeBytes }
        for partition in rest where partition.range.untilNs <= nowUnixNs {
            guard sizeBytes > limitBytes else { break }
            sizeBytes -= partition.sizeBytes
            expired.append(Expiry(partition: partition, reason: .size(limitBytes: limitBytes)))
        }
        return expired
    }

    /// The same for all signals.
    package static func expired(
        _ partitions: [StoredPartition], policy: RetentionPolicy, nowUnixNs: Int64
    ) -> [Expiry] {
        Signal.allCases.flatMap { signal in
            expired(
                partitions.filter { $0.table.signal == signal }, rule: policy[signal],
                nowUnixNs: nowUnixNs)
        }
    }
}

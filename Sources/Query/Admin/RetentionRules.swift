// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Postgres

/// How long each signal is kept.
package enum RetentionRules {
    /// Writes the rules, signal by signal, with those of tenants and with what is stored.
    package static func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let (policy, partitions) = try session.withConnection {
            (connection, deadlineNs) throws(DatabaseError) in
            (
                try connection.loadRetentionPolicy(deadlineNs: deadlineNs),
                try connection.listPartitions(deadlineNs: deadlineNs)
            )
        }
        writer.object { writer in
            writer.key("retention")
            writer.list { writer in
                for signal in Signal.allCases {
                    let own = partitions.filter { $0.signal == signal }
                    let oldestNs = own.filter(\.isAttached).map(\.range.fromNs).min()
                    writer.object { writer in
                        write(policy[signal], of: signal, to: &writer)
                        writer.member("stored_bytes", own.reduce(0) { $0 + $1.sizeBytes })
                        writer.member("oldest_unix_nano", digits: oldestNs)
                        writer.key("tenants")
                        writer.list { writer in
                            for rule in policy.tenants(signal) {
                                writer.object { writer in
                                    writer.member("tenant", rule.tenant)
                                    writer.member("days", Int64(rule.days))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fileprivate static func write(
        _ rule: RetentionRule, of signal: Signal, to writer: inout JSONWriter
    ) {
        writer.member("signal", signal.storedName)
        writer.member("days", rule.days.map { Int64($0) })
        writer.member("bytes", rule.sizeBytesMax)
    }
}

/// A new rule for one signal, or for a tenant in it.
package struct RetentionChange: Sendable {
    private let signal: Signal
    private let tenant: String
    private let rule: RetentionRule

    private static let dayCountMax: Int64 = 36_500
    private static let tenantSizeBytesMax = 200

    /// Out of a body: `days` and `bytes`, of which null is without limit, and maybe `tenant`.
    /// Errors: `invalidParameter`.
    package init(_ signal: Signal, _ body: JSONValue) throws(QueryFailure) {
        var members = try JSONMembers(body, at: "")
        let tenant = try members.takeText("tenant") ?? ""
        let days = try members.takeInt("days")
        let bytes = try members.takeInt("bytes")
        try members.checkNothingIsLeft()
        guard tenant.utf8.count <= RetentionChange.tenantSizeBytesMax, !tenant.utf8.contains(0)
        else {
            throw QueryFailure(
                .invalidParameter,
                "tenant is longer than \(RetentionChange.tenantSizeBytesMax) bytes, or has a NUL "
                    + "character", pointer: "/tenant")
        }
        guard days.map({ (1...RetentionChange.dayCountMax).contains($0) }) ?? true else {
            throw QueryFailure(
                .invalidParameter,
                "days is \(days ?? 0), and has to be 1 to \(RetentionChange.dayCountMax), or null "
                    + "for no limit", pointer: "/days")
        }
        guard bytes.map({ $0 > 0 }) ?? true, bytes == nil || tenant.isEmpty else {
            throw QueryFailure(
                .invalidParameter,
                "bytes has to be above 0, or null for no limit; a tenant has none, because its "
                    + "rows are among those of all others", pointer: "/bytes")
        }
        self.signal = signal
        self.tenant = tenant
        rule = RetentionRule(days: days.map { Int($0) }, sizeBytesMax: bytes)
    }

    /// Stores the rule, in the way in which `starling retention set` does, and writes what is kept
    /// from now on. Daemons follow within a minute.
    package func apply(
        over session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        try session.withWritableConnection { (connection, deadlineNs) throws(DatabaseError) in
            if tenant.isEmpty {
                try connection.setRetention(signal, rule, deadlineNs: deadlineNs)
            } else {
                try connection.setRetention(
                    signal, tenant: tenant, days: rule.days, deadlineNs: deadlineNs)
            }
        }
        writer.object { writer in
            RetentionRules.write(rule, of: signal, to: &writer)
            writer.member("tenant", tenant.isEmpty ? nil : tenant)
        }
    }
}

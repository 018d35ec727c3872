// SPDX-License-Identifier: Apache-2.0
package import Base

/// How long one signal is kept; nil is without limit.
package struct RetentionRule: Sendable, Equatable {
    /// 1...36_500. Partitions go once their whole range is older.
    package var days: Int?
    /// On disk, indexes included. While there is more, the oldest partition goes.
    package var sizeBytesMax: Int64?

    package init(days: Int? = nil, sizeBytesMax: Int64? = nil) {
        self.days = days
        self.sizeBytesMax = sizeBytesMax
    }

    static func ageText(days: Int) -> String {
        days == 1 ? "older than a day" : "older than \(days) days"
    }

    private static let dayNs: Int64 = 86_400_000_000_000

    /// Unix nanoseconds before which nothing is kept; nil where age does not matter.
    package func cutOffNs(nowUnixNs: Int64) -> Int64? {
        guard let days else { return nil }
        let (ageNs, isTooLong) = Int64(days).multipliedReportingOverflow(by: RetentionRule.dayNs)
        let (cutOffNs, isTooEarly) = nowUnixNs.subtractingReportingOverflow(ageNs)
        return isTooLong || isTooEarly ? .min : cutOffNs
    }
}

/// The rows of one tenant within a signal, which go earlier than those of the others.
package struct TenantRule: Sendable, Equatable {
    package let tenant: String
    package let days: Int
}

/// What stands in `retention_policy`.
package struct RetentionPolicy: Sendable, Equatable {
    package private(set) var rules: [Signal: RetentionRule] = [:]
    package private(set) var tenantRules: [Signal: [TenantRule]] = [:]

    package init() {}

    /// A signal without a row is kept for ever.
    package subscript(signal: Signal) -> RetentionRule {
        get { rules[signal] ?? RetentionRule() }
        set { rules[signal] = newValue }
    }

    package func tenants(_ signal: Signal) -> [TenantRule] { tenantRules[signal] ?? [] }

    fileprivate mutating func append(_ rule: TenantRule, to signal: Signal) {
        tenantRules[signal, default: []].append(rule)
    }
}

extension PGConnection {
    package mutating func loadRetentionPolicy(
        deadlineNs: UInt64
    ) throws(DatabaseError) -> RetentionPolicy {
        let result = try query(
            "SELECT signal, tenant, days, bytes FROM retention_policy ORDER BY signal, tenant",
            deadlineNs: deadlineNs)
        var policy = RetentionPolicy()
        for row in 0..<result.rowCount {
            guard let signal = Signal(policyName: result.string(row: row, column: 0)) else {
                continue
            }
            let tenant = result.string(row: row, column: 1)
            let days = result.integer(row: row, column: 2).map { Int($0) }
            if tenant.isEmpty {
                policy[signal] = RetentionRule(
                    days: days, sizeBytesMax: result.integer(row: row, column: 3))
            } else if let days {
                policy.append(TenantRule(tenant: tenant, days: days), to: signal)
            }
        }
        return policy
    }

    /// Sets the rule of a whole signal, and notes it in the log.
    package mutating func setRetention(
        _ signal: Signal, _ rule: RetentionRule, deadlineNs: UInt64
    ) throws(DatabaseError) {
        try storeRule(signal, tenant: "", rule, deadlineNs: deadlineNs)
    }

    /// Sets after how many days a tenant's rows go, or with nil that they go with all others.
    package mutating func setRetention(
        _ signal: Signal, tenant: String, days: Int?, deadlineNs: UInt64
    ) throws(DatabaseError) {
        precondition(!tenant.isEmpty)
        if let days {
            let rule = RetentionRule(days: days)
            return try storeRule(signal, tenant: tenant, rule, deadlineNs: deadlineNs)
        }
        var parameters = QueryParameters()
        parameters.append(signal.policyName)
        parameters.append(tenant)
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            _ = try connection.query(
                "DELETE FROM retention_policy WHERE signal = $1 AND tenant = $2", parameters,
                deadlineNs: deadlineNs)
            try connection.append(
                .policy(signal, tenant: tenant, RetentionRule()), deadlineNs: deadlineNs)
        }
    }

    private mutating func storeRule(
        _ signal: Signal, tenant: String, _ rule: RetentionRule, deadlineNs: UInt64
    ) throws(DatabaseError) {
        var parameters = QueryParameters()
        parameters.append(signal.policyName)
        parameters.append(tenant)
        parameters.append(rule.days.map { Int64($0) })
        parameters.append(rule.sizeBytesMax)
        try withTransaction(deadlineNs: deadlineNs) { connection throws(DatabaseError) in
            _ = try connection.query(
                """
                INSERT INTO retention_policy (signal, tenant, days, bytes)
                VALUES ($1, $2, $3::int8::int4, $4)
                ON CONFLICT (signal, tenant) DO UPDATE
                SET days = excluded.days, bytes = excluded.bytes, updated_at = now()
                """, parameters, deadlineNs: deadlineNs)
            try connection.append(
                .policy(signal, tenant: tenant, rule), deadlineNs: deadlineNs)
        }
    }
}

extension QueryParameters {
    mutating func append(_ value: Int64?) {
        if let value { append(value) } else { appendNull(.int8) }
    }

    mutating func append(_ value: String?) {
        if let value { append(value) } else { appendNull(.text) }
    }
}

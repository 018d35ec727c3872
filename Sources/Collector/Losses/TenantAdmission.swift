// SPDX-License-Identifier: Apache-2.0

/// Keeps the tenants that one source tells apart in a minute within a bound.
struct TenantAdmission {
    static let countMax = 1_000
    /// Minutes that are remembered.
    private static let minuteCountMax = 4

    private var tenants: [Int64: Set<String>] = [:]

    /// Forgets minutes that are over. Between transactions only: within one, a name stays what it
    /// is.
    mutating func prune() {
        while tenants.count > TenantAdmission.minuteCountMax, let oldest = tenants.keys.min() {
            tenants[oldest] = nil
        }
    }

    /// The name by which the items of `tenant` are counted.
    mutating func admit(_ tenant: String, minute: Int64) -> String {
        if tenant.isEmpty || tenants[minute]?.contains(tenant) == true { return tenant }
        guard tenants[minute, default: []].count < TenantAdmission.countMax else {
            return TenantName.other
        }
        tenants[minute, default: []].insert(tenant)
        return tenant
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Who sends a request: a token, or a client certificate that is registered like one.
///
/// Ownership: shared by all who serve its requests, and kept from one reading of the list of tokens
/// to the next, because the quota and the time of last use live here. Thread: any.
package final class Identity: Sendable {
    package let tokenID: Int64
    package let scopes: TokenScopes
    /// Whose telemetry it is, whatever the client says; empty where the client says it.
    package let tenant: String
    /// `tenant` in UTF-8.
    package let tenantBytes: [UInt8]
    package let quota: TokenQuota
    private let lastUsedNs = Atomic<UInt64>(0)

    package init(
        tokenID: Int64, scopes: TokenScopes, tenant: String = "",
        quota: TokenQuota = TokenQuota(itemsPerSecond: nil, bytesPerSecond: nil)
    ) {
        self.tokenID = tokenID
        self.scopes = scopes
        self.tenant = tenant
        tenantBytes = Array(tenant.utf8)
        self.quota = quota
    }

    /// When it was last let in, nanoseconds since 1970; 0 for not in this run of the daemon.
    package var lastUsedUnixNs: UInt64 {
        get { lastUsedNs.load(ordering: .relaxed) }
        set { lastUsedNs.store(newValue, ordering: .relaxed) }
    }
}

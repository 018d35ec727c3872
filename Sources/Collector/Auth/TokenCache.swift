// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Rows
internal import Synchronization

/// What the daemon knows of tokens, and its judgement on who may come in.
///
/// Look-ups are by the SHA-256 of what was sent. So there is no comparison of secrets whose time
/// could tell how much of a guess is right: whoever measures learns something about a hash of which
/// nothing can be said in advance. Thread: any. Cost of a judgement: a hash, a lock to copy one
/// reference, and a look into a dictionary.
final class TokenCache: Authenticator {
    /// Whether a request without a token is turned away (`auth.required`).
    let isRequired: Bool
    /// Whether a client certificate may stand in for a token (`auth.client_certificates`).
    private let acceptsCertificates: Bool
    private let counters: Counters
    private let notes: AuthNotes
    private let known = Mutex(Known())
    private let clock: @Sendable () -> (unixNs: UInt64, monotonicNs: UInt64)

    private struct Known {
        var table: TokenTable?
        /// When the database last said that the table is current. Monotonic.
        var confirmedNs: UInt64 = 0
    }

    /// For so long the last list goes on to count while the database is away. Nothing can be
    /// revoked or stored without it meanwhile; expiry goes by the daemon's own clock.
    static let staleNsMax: UInt64 = 24 * 3_600_000_000_000

    init(
        isRequired: Bool, acceptsCertificates: Bool = false, counters: Counters,
        notes: AuthNotes,
        clock: @escaping @Sendable () -> (unixNs: UInt64, monotonicNs: UInt64) = {
            (Clock.unixNs, Clock.monotonicNs)
        }
    ) {
        self.isRequired = isRequired
        self.acceptsCertificates = acceptsCertificates
        self.counters = counters
        self.notes = notes
        self.clock = clock
    }

    // MARK: Authenticator

    func judge(
        _ credentials: Credentials, for access: Access, peer: () -> String
    ) -> AuthVerdict {
        let verdict = verdict(credentials, for: access)
        if case .refused(let failure) = verdict {
            counters.add(failure.counter)
            notes.note(failure, peer: peer)
        }
        return verdict
    }

    /// Where strangers are welcome, what is not meant for us is none of our business, for example
    /// what a proxy on the way asks for. It hides nothing that is: else whoever adds a header would
    /// get rid of tenant, quota and revocation.
    private func verdict(_ credentials: Credentials, for access: Access) -> AuthVerdict {
        let isUnusable = isRequired ? credentials.isUnusable : credentials.isAmbiguous
        guard !isUnusable else { return .refused(.malformed) }
        if let token = isRequired ? credentials.token : credentials.ownToken {
            return verdict(token, for: access)
        }
        guard acceptsCertificates, let certificate = credentials.certificate else {
            return isRequired ? .refused(.missing) : .admitted(nil)
        }
        return verdict(certificate, for: access)
    }

    private func verdict(_ token: [UInt8], for access: Access) -> AuthVerdict {
        let now = clock()
        guard let table = table(nowNs: now.monotonicNs) else { return .refused(.notReady) }
        guard let entry = table.find(ContentHash(ofToken: token)) else {
            return .refused(TokenText.isWellFormed(token) ? .unknown : .malformed)
        }
        return verdict(entry, for: access, nowUnixNs: now.unixNs)
    }

    /// The first of the certificate's names that is registered decides. One without any is that of
    /// a stranger, unless strangers are welcome.
    private func verdict(_ certificate: PeerIdentity, for access: Access) -> AuthVerdict {
        let now = clock()
        // Whose it is must be known even where strangers are welcome: there may be a tenant.
        guard let table = table(nowNs: now.monotonicNs) else { return .refused(.notReady) }
        for name in certificate.names {
            guard let entry = table.find(certificate: name) else { continue }
            return verdict(entry, for: access, nowUnixNs: now.unixNs)
        }
        return isRequired ? .refused(.certificate) : .admitted(nil)
    }

    private func verdict(
        _ entry: TokenTable.Entry, for access: Access, nowUnixNs: UInt64
    ) -> AuthVerdict {
        if let failure = entry.failure(nowUnixNs: nowUnixNs) { return .refused(failure) }
        let identity = entry.identity
        guard identity.scopes.allows(access.scopes) else { return .refused(.scope) }
        identity.lastUsedUnixNs = nowUnixNs
        return .admitted(identity)
    }

    private func table(nowNs: UInt64) -> TokenTable? {
        known.withLock { known in
            let ageNs = nowNs - min(nowNs, known.confirmedNs)
            return ageNs < TokenCache.staleNsMax ? known.table : nil
        }
    }

    // MARK: The keeper's

    /// The last list that was read, however old.
    var lastTable: TokenTable? { known.withLock { $0.table } }

    /// Takes a new list over. `nowNs` is monotonic, from before it was read.
    func adopt(_ table: TokenTable, nowNs: UInt64) {
        known.withLock { $0 = Known(table: table, confirmedNs: nowNs) }
    }

    /// The database says that the list has not changed.
    func confirm(nowNs: UInt64) { known.withLock { $0.confirmedNs = nowNs } }

    // MARK: For observers

    func observe() -> DaemonObservation.Auth {
        let (table, confirmedNs) = known.withLock { ($0.table, $0.confirmedNs) }
        let nowNs = clock().monotonicNs
        var auth = DaemonObservation.Auth()
        auth.isRequired = isRequired
        auth.tokenCount = table?.liveCount ?? 0
        auth.listStamp = table?.stamp
        auth.listAgeNs = table == nil ? nil : nowNs - min(nowNs, confirmedNs)
        return auth
    }
}

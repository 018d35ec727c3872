// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Rows

/// The list of tokens as it was read once. Immutable.
///
/// Memory: about 500 bytes for each of at most `countMax` tokens. Thread: any.
final class TokenTable: Sendable {
    /// Live tokens, and as many that are revoked: lately, so that their holders hear the truth, or
    /// names of certificates, which would else be those of strangers.
    static let countMax = 2 * StoredToken.liveCountMax
    static let revokedDays = 30

    struct Entry: Sendable {
        let identity: Identity
        let expiresUnixNs: UInt64
        let isRevoked: Bool

        /// Why a holder is turned away; nil when it counts.
        func failure(nowUnixNs: UInt64) -> AuthFailure? {
            if isRevoked { return .revoked }
            return nowUnixNs >= expiresUnixNs ? .expired : nil
        }
    }

    private let byHash: [ContentHash: Entry]
    private let byCertificate: [CertificateName: Entry]
    /// A name byte for byte: strings that only look alike would be equal.
    private struct CertificateName: Hashable {
        let text: String

        static func == (one: CertificateName, other: CertificateName) -> Bool {
            one.text.utf8.elementsEqual(other.text.utf8)
        }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    /// Those that are neither revoked nor, at `readUnixNs`, expired.
    let liveCount: Int
    /// What the database called this state of the list, or an older one.
    let stamp: Int64

    /// `previous` lends identities of tokens that have not changed, with their quota and use.
    init(
        _ tokens: [StoredToken], stamp: Int64, previous: TokenTable?, nowUnixNs: UInt64
    ) {
        var known: [Int64: Identity] = [:]
        if let previous {
            for identity in previous.identities { known[identity.tokenID] = identity }
        }
        var byHash: [ContentHash: Entry] = [:]
        var byCertificate: [CertificateName: Entry] = [:]
        var liveCount = 0
        for token in tokens {
            let entry = Entry(
                identity: known[token.id].flatMap { token.isOf($0) ? $0 : nil }
                    ?? Identity(token),
                expiresUnixNs: token.expiresUnixNs.map { UInt64(max(0, $0)) } ?? .max,
                isRevoked: token.revokedUnixNs != nil)
            if entry.failure(nowUnixNs: nowUnixNs) == nil { liveCount += 1 }
            if let hash = token.hash { byHash[hash] = entry }
            // Of several with one name, the one that is not revoked; those come first.
            if let name = token.certificateName.map(CertificateName.init),
                byCertificate[name] == nil
            {
                byCertificate[name] = entry
            }
        }
        self.byHash = byHash
        self.byCertificate = byCertificate
        self.liveCount = liveCount
        self.stamp = stamp
    }

    func find(_ hash: ContentHash) -> Entry? { byHash[hash] }

    func find(certificate name: String) -> Entry? {
        byCertificate[CertificateName(text: name)]
    }

    var identities: [Identity] {
        byHash.values.map(\.identity) + byCertificate.values.map(\.identity)
    }
}

extension StoredToken {
    /// Whether `identity` is this token's, and nothing of it has changed since.
    fileprivate func isOf(_ identity: Identity) -> Bool {
        identity.tokenID == id && identity.scopes == scopes && identity.tenant == tenant
            && identity.quota.items?.perSecond == itemsPerSecond
            && identity.quota.bytes?.perSecond == bytesPerSecond
    }
}

extension Identity {
    fileprivate convenience init(_ token: StoredToken) {
        self.init(
            tokenID: token.id, scopes: token.scopes, tenant: token.tenant,
            quota: TokenQuota(
                itemsPerSecond: token.itemsPerSecond, bytesPerSecond: token.bytesPerSecond))
    }
}

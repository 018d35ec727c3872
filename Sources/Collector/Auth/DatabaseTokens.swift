// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Postgres
internal import Rows

/// What `starling token` does with the configured database.
///
/// Thread: any. Blocks on the database. Errors: `databaseUnreachable`, `schemaNotCurrent`,
/// `failed`.
package struct DatabaseTokens {
    private let settings: DatabaseSettings

    package init(_ configuration: Configuration) { settings = DatabaseSettings(configuration) }

    /// What is asked for.
    package struct Request: Sendable {
        /// 1 to 200 bytes; no other live token has it.
        package var name: String
        package var scopes: TokenScopes
        /// Empty for none.
        package var tenant = ""
        /// Nanoseconds since 1970; nil for never.
        package var expiresUnixNs: Int64?
        package var itemsPerSecond: Int?
        package var bytesPerSecond: Int?
        /// In the place of a token: the name in a client certificate.
        package var certificateName: String?

        package init(name: String, scopes: TokenScopes) {
            self.name = name
            self.scopes = scopes
        }
    }

    /// A token as lists show it. Times in the form of RFC 3339.
    package struct Token: Sendable {
        package let id: Int64
        package let name: String
        /// The part of the secret that may be shown; nil for a certificate.
        package let prefix: String?
        package let certificateName: String?
        package let scopes: [String]
        package let tenant: String
        package let itemsPerSecond: Int?
        package let bytesPerSecond: Int?
        package let created: String
        package let expires: String?
        package let revoked: String?
        package let lastUsed: String?
        /// `live`, `expired` or `revoked`.
        package let state: String
    }

    /// Makes a token; the secret is in no other place, and nil for a certificate.
    package func create(_ request: Request) throws(DaemonError) -> (token: Token, secret: String?) {
        var wanted = StoredToken(name: request.name, scopes: request.scopes, tenant: request.tenant)
        wanted.expiresUnixNs = request.expiresUnixNs
        wanted.itemsPerSecond = request.itemsPerSecond
        wanted.bytesPerSecond = request.bytesPerSecond
        wanted.certificateName = request.certificateName
        let secret = request.certificateName == nil ? TokenText.generate() : nil
        if let secret {
            wanted.prefix = TokenText.shownPart(secret)
            wanted.hash = ContentHash(ofToken: Array(secret.utf8))
        }
        let (stored, live) = try withConnection { connection throws(DatabaseError) in
            let stored = try connection.insert(wanted, deadlineNs: settings.statementDeadlineNs)
            guard stored == nil else { return (stored, [StoredToken]()) }
            let live = try connection.loadTokens(
                revokedDays: 0, countMax: StoredToken.liveCountMax,
                deadlineNs: settings.statementDeadlineNs)
            return (nil, live.filter { $0.revokedUnixNs == nil })
        }
        guard let stored else { throw DatabaseTokens.refusal(wanted, among: live) }
        return (Token(stored), secret)
    }

    private static func refusal(_ wanted: StoredToken, among live: [StoredToken]) -> DaemonError {
        if live.contains(where: { $0.name == wanted.name }) {
            return DaemonError(
                .failed,
                "there is a token \"\(wanted.name)\" already; choose another --name, or take it "
                    + "away with `starling token revoke`")
        }
        if let name = wanted.certificateName,
            let other = live.first(where: { $0.certificateName == name })
        {
            return DaemonError(
                .failed,
                "the certificate name \"\(name)\" is that of \"\(other.name)\" already; revoke "
                    + "that first")
        }
        return DaemonError(
            .failed,
            "there are \(live.count) tokens, and there may be \(StoredToken.liveCountMax); revoke "
                + "some, or share them")
    }

    /// All that count, then names of certificates that are revoked, and tokens of the last 30 days.
    package func list() throws(DaemonError) -> [Token] {
        try withConnection { connection throws(DatabaseError) in
            try connection.loadTokens(
                revokedDays: TokenTable.revokedDays, countMax: TokenTable.countMax,
                deadlineNs: settings.statementDeadlineNs)
        }.map { Token($0) }
    }

    /// Revokes the token with this name, or this prefix, or this text.
    package func revoke(_ written: String) throws(DaemonError) -> Token {
        let isSecret = TokenText.hasPrefix(Array(written.utf8))
        let name = isSecret ? TokenText.shownPart(written) : written
        let revoked = try withConnection { connection throws(DatabaseError) in
            try connection.revokeTokens(called: name, deadlineNs: settings.statementDeadlineNs)
        }
        guard let token = revoked.first else {
            throw DaemonError(
                .failed,
                "there is no token \"\(name)\" that counts; `starling token list` shows all")
        }
        return Token(token)
    }

    private func withConnection<Value>(
        _ body: (inout PGConnection) throws(DatabaseError) -> Value
    ) throws(DaemonError) -> Value {
        try MigratedDatabase(settings: settings).withConnection(body)
    }
}

extension DatabaseTokens.Token {
    fileprivate init(_ stored: StoredToken) {
        func text(_ unixNs: Int64?) -> String? {
            unixNs.map { DatabaseMaintenance.Partition.text(unixNs: $0) }
        }
        id = stored.id
        name = stored.name
        prefix = stored.prefix
        certificateName = stored.certificateName
        scopes = stored.scopes.names
        tenant = stored.tenant
        itemsPerSecond = stored.itemsPerSecond
        bytesPerSecond = stored.bytesPerSecond
        created = text(stored.createdUnixNs) ?? ""
        expires = text(stored.expiresUnixNs)
        revoked = text(stored.revokedUnixNs)
        lastUsed = text(stored.lastUsedUnixNs)
        let isExpired = stored.expiresUnixNs.map { $0 <= Int64(Clock.unixNs) } ?? false
        state = stored.revokedUnixNs != nil ? "revoked" : isExpired ? "expired" : "live"
    }
}

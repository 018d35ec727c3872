// SPDX-License-Identifier: Apache-2.0
package import Base
package import Rows

/// A row of `otel_tokens`. Times are nanoseconds since 1970.
package struct StoredToken: Sendable, Equatable {
    package var id: Int64 = 0
    package var name: String
    /// The part of the token that may be shown; nil for a certificate.
    package var prefix: String?
    package var hash: ContentHash?
    package var certificateName: String?
    package var scopes: TokenScopes
    /// Empty for none.
    package var tenant: String
    package var itemsPerSecond: Int?
    package var bytesPerSecond: Int?
    package var createdUnixNs: Int64 = 0
    package var expiresUnixNs: Int64?
    package var revokedUnixNs: Int64?
    package var lastUsedUnixNs: Int64?

    package init(name: String, scopes: TokenScopes, tenant: String = "") {
        self.name = name
        self.scopes = scopes
        self.tenant = tenant
    }

    /// Tokens that are not revoked, at most: what every daemon keeps in memory.
    package static let liveCountMax = 10_000
}

extension PGConnection {
    /// Another number than last time means that the list of tokens has changed.
    package mutating func tokenStamp(deadlineNs: UInt64) throws(DatabaseError) -> Int64 {
        let result = try query("SELECT stamp FROM otel_token_changes", deadlineNs: deadlineNs)
        guard result.rowCount == 1, let stamp = result.integer(row: 0, column: 0) else {
            throw .unexpected("otel_token_changes has \(result.rowCount) rows, and should have one")
        }
        return stamp
    }

    /// Tokens by age: those that count, certificates that are revoked, and tokens that were revoked
    /// in the last `revokedDays`. At most `countMax`, the revoked ones last.
    package mutating func loadTokens(
        revokedDays: Int, countMax: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredToken] {
        var parameters = QueryParameters()
        parameters.append(Int32(revokedDays))
        parameters.append(Int64(countMax))
        let result = try query(
            """
            SELECT \(StoredToken.columns) FROM otel_tokens
            WHERE revoked_at IS NULL OR certificate_name IS NOT NULL
                OR revoked_at > now() - make_interval(days => $1)
            ORDER BY revoked_at IS NOT NULL, revoked_at IS NOT NULL AND certificate_name IS NULL,
                revoked_at DESC, token_id LIMIT $2
            """, parameters, deadlineNs: deadlineNs)
        return StoredToken.rows(of: result)
    }

    /// Stores a new token; nil where its name (or that of the certificate) is taken, or where there
    /// are too many.
    package mutating func insert(
        _ token: StoredToken, deadlineNs: UInt64
    ) throws(DatabaseError) -> StoredToken? {
        var parameters = QueryParameters()
        parameters.append(token.name)
        parameters.append(token.prefix)
        if let hash = token.hash {
            let bytes = hash.bytes
            unsafe bytes.withUnsafeBytes { unsafe parameters.append(ByteSlice($0), as: .bytea) }
        } else {
            parameters.appendNull(.bytea)
        }
        parameters.append(token.certificateName)
        var scopes = ArrayParameter(.text)
        for name in token.scopes.names { scopes.append(name) }
        parameters.append(scopes)
        parameters.append(token.tenant.isEmpty ? nil : token.tenant)
        parameters.append(token.itemsPerSecond.map { Int64($0) })
        parameters.append(token.bytesPerSecond.map { Int64($0) })
        parameters.append(token.expiresUnixNs)
        parameters.append(Int64(StoredToken.liveCountMax))
        let result = try query(
            """
            INSERT INTO otel_tokens (name, prefix, hash, certificate_name, scopes, tenant,
                items_per_second, bytes_per_second, expires_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8,
                to_timestamp(0) + $9::int8 / 1000 * interval '1 us'
            WHERE (SELECT count(*) FROM otel_tokens WHERE revoked_at IS NULL) < $10
            ON CONFLICT DO NOTHING
            RETURNING \(StoredToken.columns)
            """, parameters, deadlineNs: deadlineNs)
        return StoredToken.rows(of: result).first
    }

    /// Revokes what has `name` as its name or prefix and counts; returns it.
    package mutating func revokeTokens(
        called name: String, deadlineNs: UInt64
    ) throws(DatabaseError) -> [StoredToken] {
        var parameters = QueryParameters()
        parameters.append(name)
        let result = try query(
            """
            UPDATE otel_tokens SET revoked_at = now()
            WHERE revoked_at IS NULL AND (name = $1 OR prefix = $1)
            RETURNING \(StoredToken.columns)
            """, parameters, deadlineNs: deadlineNs)
        return StoredToken.rows(of: result)
    }

    /// Notes when tokens were last used; other daemons may have seen later uses.
    package mutating func noteTokenUse(
        _ uses: [(tokenID: Int64, unixNs: Int64)], deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard !uses.isEmpty else { return }
        var ids = ArrayParameter(.int8)
        var times = ArrayParameter(.int8)
        for use in uses {
            ids.append(use.tokenID)
            times.append(use.unixNs / 1_000)
        }
        _ = try query(
            """
            UPDATE otel_tokens AS token
            SET last_used_at = greatest(
                last_used_at, to_timestamp(0) + used.at_us * interval '1 us')
            FROM unnest($1, $2) AS used (token_id, at_us)
            WHERE token.token_id = used.token_id
            """, QueryParameters([ids, times]), deadlineNs: deadlineNs)
    }
}

extension StoredToken {
    fileprivate static let columns = """
        token_id, name, prefix, hash, certificate_name, \
        'ingest' = ANY (scopes), 'read' = ANY (scopes), 'admin' = ANY (scopes), tenant, \
        items_per_second, bytes_per_second, \
        \(unixNs(of: "created_at")), \(unixNs(of: "expires_at")), \(unixNs(of: "revoked_at")), \
        \(unixNs(of: "last_used_at"))
        """

    /// What somebody wrote by hand may lie beyond what 64 bits can say. Of no time there is none:
    /// `least` and `greatest` would pass a null over.
    private static func unixNs(of column: String) -> String {
        """
        CASE WHEN \(column) IS NOT NULL THEN greatest(0, least(9223372036854775807, \
        extract(epoch FROM \(column)) * 1000000000))::int8 END
        """
    }

    fileprivate static func rows(of result: borrowing QueryResult) -> [StoredToken] {
        var tokens: [StoredToken] = []
        for row in 0..<result.rowCount { tokens.append(StoredToken(result, row: row)) }
        return tokens
    }

    private init(_ result: borrowing QueryResult, row: Int) {
        var scopes: TokenScopes = []
        if result.bool(row: row, column: 5) == true { scopes.insert(.ingest) }
        if result.bool(row: row, column: 6) == true { scopes.insert(.read) }
        if result.bool(row: row, column: 7) == true { scopes.insert(.admin) }
        self.init(
            name: result.string(row: row, column: 1), scopes: scopes,
            tenant: result.string(row: row, column: 8))
        id = result.integer(row: row, column: 0) ?? 0
        if !result.isNull(row: row, column: 2) { prefix = result.string(row: row, column: 2) }
        if !result.isNull(row: row, column: 3) {
            hash = ContentHash(result.bytes(row: row, column: 3))
        }
        if !result.isNull(row: row, column: 4) {
            certificateName = result.string(row: row, column: 4)
        }
        itemsPerSecond = result.integer(row: row, column: 9).map { Int($0) }
        bytesPerSecond = result.integer(row: row, column: 10).map { Int($0) }
        createdUnixNs = result.integer(row: row, column: 11) ?? 0
        expiresUnixNs = result.integer(row: row, column: 12)
        revokedUnixNs = result.integer(row: row, column: 13)
        lastUsedUnixNs = result.integer(row: row, column: 14)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Postgres
import Rows
import Synchronization
import Testing

@testable import Collector

/// A time that a test sets.
private final class SetClock: Sendable {
    let unixNs = Atomic<UInt64>(1_000_000_000_000)
    let monotonicNs = Atomic<UInt64>(1_000_000_000)

    func pass(ns: UInt64) {
        unixNs.add(ns, ordering: .relaxed)
        monotonicNs.add(ns, ordering: .relaxed)
    }
}

private struct Bench {
    let clock = SetClock()
    let counters = Counters()
    let notes = AuthNotes()
    let cache: TokenCache
    var tokens: [StoredToken] = []

    init(isRequired: Bool = true, acceptsCertificates: Bool = false) {
        cache = TokenCache(
            isRequired: isRequired, acceptsCertificates: acceptsCertificates, counters: counters,
            notes: notes
        ) { [clock] in
            (
                clock.unixNs.load(ordering: .relaxed),
                clock.monotonicNs.load(ordering: .relaxed)
            )
        }
    }

    /// Adds a token to the list; the cache hears of it by `load`.
    mutating func add(
        _ scopes: TokenScopes = .ingest, _ change: (inout StoredToken) -> Void = { _ in }
    ) -> String {
        let text = TokenText.generate()
        var token = StoredToken(name: "t\(tokens.count)", scopes: scopes)
        token.id = Int64(tokens.count + 1)
        token.prefix = TokenText.shownPart(text)
        token.hash = ContentHash(ofToken: Array(text.utf8))
        change(&token)
        tokens.append(token)
        return text
    }

    func load() {
        cache.adopt(
            TokenTable(
                tokens, stamp: 1, previous: cache.lastTable,
                nowUnixNs: clock.unixNs.load(ordering: .relaxed)),
            nowNs: clock.monotonicNs.load(ordering: .relaxed))
    }

    func verdict(
        _ token: String?, _ access: Access = .ingest, names: [String]? = nil
    ) -> AuthFailure? {
        if case .refused(let failure) = judge(token, access, names) { return failure }
        return nil
    }

    func identity(
        _ token: String?, _ access: Access = .ingest, names: [String]? = nil
    ) -> Identity? {
        if case .admitted(let identity) = judge(token, access, names) { return identity }
        return nil
    }

    private func judge(_ token: String?, _ access: Access, _ names: [String]?) -> AuthVerdict {
        judge(token.map { [("x-api-key", $0)] } ?? [], access, names: names)
    }

    func judge(
        _ fields: [(String, String)], _ access: Access = .ingest, names: [String]? = nil
    ) -> AuthVerdict {
        var credentials = Credentials()
        credentials.certificate = names.map { PeerIdentity(names: $0, fingerprint: "") }
        for (name, value) in fields {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            unsafe name.withUnsafeBytes { name in
                unsafe value.withUnsafeBytes { value in
                    unsafe credentials.add(name: ByteSlice(name), value: ByteSlice(value))
                }
            }
        }
        return cache.judge(credentials, for: access, peer: { "192.0.2.1:5" })
    }
}

@Suite struct TokenCacheTests {
    @Test func tableOfVerdicts() {
        var bench = Bench()
        let ingest = bench.add()
        let read = bench.add(.read)
        let admin = bench.add(.admin)
        let expired = bench.add { $0.expiresUnixNs = 1_000_000_000_000 }
        let lasting = bench.add { $0.expiresUnixNs = 1_000_000_000_001 }
        let revoked = bench.add { $0.revokedUnixNs = 5 }
        bench.load()
        let unknown = TokenText.generate()
        let rows: [(String?, Access, AuthFailure?)] = [
            (ingest, .ingest, nil), (ingest, .read, .scope), (ingest, .any, nil),
            (read, .ingest, .scope), (read, .read, nil), (read, .any, nil),
            (admin, .ingest, .scope), (admin, .read, nil),
            (expired, .ingest, .expired), (lasting, .ingest, nil), (revoked, .ingest, .revoked),
            (unknown, .ingest, .unknown), (String(unknown.dropLast()), .ingest, .malformed),
            ("secret", .any, .malformed), (nil, .ingest, .missing), (nil, .read, .missing),
        ]
        for (token, access, expected) in rows {
            #expect(bench.verdict(token, access) == expected, "\(token ?? "none") \(access)")
        }
        #expect(bench.counters[.authScope] == 3)
        #expect(bench.counters[.authMissing] == 2)
        #expect(bench.counters[.authMalformed] == 2)
        #expect(bench.cache.observe().tokenCount == 4)
    }

    @Test func withoutRequirementOnlyTokensOfOursAreLookedAt() {
        var bench = Bench(isRequired: false)
        let token = bench.add { $0.tenant = "acme" }
        let revoked = bench.add { $0.revokedUnixNs = 5 }
        #expect(bench.verdict(nil) == nil)
        #expect(bench.verdict("for a proxy") == nil)
        #expect(bench.verdict(token) == .notReady)
        bench.load()
        #expect(bench.identity(token)?.tenant == "acme")
        #expect(bench.verdict(revoked) == .revoked)
        #expect(bench.verdict("for a proxy") == nil)
        #expect(bench.identity(nil) == nil && bench.verdict(nil) == nil)
    }

    // Goal: what is added for somebody else takes neither tenant nor revocation away. Method: a
    // proxy's header beside ours, in either order.
    @Test(arguments: [
        ("authorization", "Basic eDp5"), ("authorization", "Bearer for-a-proxy"),
        ("x-api-key", "for-a-proxy"), ("x-api-key", String(repeating: "a", count: 200)),
    ])
    func aHeaderForAnotherHidesNothing(name: String, value: String) {
        var bench = Bench(isRequired: false, acceptsCertificates: true)
        let token = bench.add { $0.tenant = "acme" }
        let revoked = bench.add { $0.revokedUnixNs = 5 }
        _ = bench.add {
            ($0.hash, $0.prefix, $0.certificateName, $0.tenant) = (nil, nil, "edge", "globex")
        }
        bench.load()
        let foreign = (name, value)
        func ours(_ token: String) -> (String, String) {
            name == "x-api-key" ? ("authorization", "Bearer \(token)") : ("x-api-key", token)
        }
        for fields in [[foreign, ours(token)], [ours(token), foreign]] {
            guard case .admitted(let identity?) = bench.judge(fields, names: ["edge"]) else {
                Issue.record("nobody came in")
                continue
            }
            #expect(identity.tenant == "acme")
        }
        for fields in [[foreign, ours(revoked)], [ours(revoked), foreign]] {
            guard case .refused(.revoked) = bench.judge(fields) else {
                Issue.record("a revoked token came in")
                continue
            }
        }
        if case .admitted(let identity) = bench.judge([foreign], names: ["edge"]) {
            #expect(identity?.tenant == "globex")
        } else {
            Issue.record("a certificate was turned away")
        }
        let both = [("x-api-key", token), ("authorization", "Bearer \(revoked)")]
        guard case .refused(.malformed) = bench.judge(both) else {
            Issue.record("two tokens of ours came in")
            return
        }
    }

    @Test func namesOfCertificatesAreComparedByByte() {
        var bench = Bench(acceptsCertificates: true)
        for (name, tenant) in [("caf\u{e9}", "acme"), ("cafe\u{301}", "globex")] {
            _ = bench.add {
                ($0.hash, $0.prefix, $0.certificateName, $0.tenant) = (nil, nil, name, tenant)
            }
        }
        bench.load()
        #expect(bench.identity(nil, names: ["caf\u{e9}"])?.tenant == "acme")
        #expect(bench.identity(nil, names: ["cafe\u{301}"])?.tenant == "globex")
    }

    @Test func certificatesByTheirFirstRegisteredName() {
        var bench = Bench(acceptsCertificates: true)
        func register(_ name: String, _ change: (inout StoredToken) -> Void = { _ in }) {
            _ = bench.add {
                ($0.hash, $0.prefix, $0.certificateName) = (nil, nil, name)
                change(&$0)
            }
        }
        register("edge") { $0.tenant = "acme" }
        register("old") { $0.revokedUnixNs = 5 }
        register("reader") { $0.scopes = .read }
        let token = bench.add { $0.tenant = "globex" }
        #expect(bench.verdict(nil, names: ["edge"]) == .notReady)
        bench.load()
        let rows: [([String]?, AuthFailure?)] = [
            (["edge"], nil), (["nobody", "edge"], nil), (["old", "edge"], .revoked),
            (["reader"], .scope), (["EDGE"], .certificate), ([], .certificate), (nil, .missing),
        ]
        for (names, expected) in rows {
            #expect(bench.verdict(nil, names: names) == expected, "\(names ?? [])")
        }
        #expect(bench.identity(nil, names: ["edge"])?.tenant == "acme")
        // A token wins, also one that is wrong.
        #expect(bench.identity(token, names: ["edge"])?.tenant == "globex")
        #expect(bench.verdict(TokenText.generate(), names: ["edge"]) == .unknown)
    }

    @Test func certificatesOnlyWhereThatIsSaid() {
        var bench = Bench()
        _ = bench.add { ($0.hash, $0.prefix, $0.certificateName) = (nil, nil, "edge") }
        bench.load()
        #expect(bench.verdict(nil, names: ["edge"]) == .missing)
    }

    @Test func strangersAreWelcomeWhereNobodyIsAsked() {
        var bench = Bench(isRequired: false, acceptsCertificates: true)
        _ = bench.add {
            ($0.hash, $0.prefix, $0.certificateName, $0.tenant) = (nil, nil, "edge", "acme")
        }
        bench.load()
        #expect(bench.identity(nil, names: ["edge"])?.tenant == "acme")
        #expect(bench.verdict(nil, names: ["nobody"]) == nil)
    }

    @Test func beforeTheFirstListNobodyIsUnknown() {
        var bench = Bench()
        let token = bench.add()
        #expect(bench.verdict(token) == .notReady)
        #expect(bench.verdict(nil) == .missing)
        bench.load()
        #expect(bench.verdict(token) == nil)
    }

    @Test func theLastListCountsForADay() {
        var bench = Bench()
        let token = bench.add()
        bench.load()
        bench.clock.pass(ns: TokenCache.staleNsMax - 1)
        #expect(bench.verdict(token) == nil)
        bench.clock.pass(ns: 1)
        #expect(bench.verdict(token) == .notReady)
        bench.cache.confirm(nowNs: bench.clock.monotonicNs.load(ordering: .relaxed))
        #expect(bench.verdict(token) == nil)
    }

    @Test func expiryNeedsNoNewList() {
        var bench = Bench()
        let token = bench.add { $0.expiresUnixNs = 1_000_000_000_000 + 60 }
        bench.load()
        #expect(bench.verdict(token) == nil)
        bench.clock.pass(ns: 60)
        #expect(bench.verdict(token) == .expired)
    }

    /// The quota and the last use live in the identity, and must outlive a new list.
    @Test func identitiesAreKeptUntilTheyChange() {
        var bench = Bench()
        let token = bench.add { $0.itemsPerSecond = 5 }
        bench.load()
        let first = bench.identity(token)
        _ = bench.add()
        bench.load()
        #expect(bench.identity(token) === first)
        #expect(first?.lastUsedUnixNs == 1_000_000_000_000)
        bench.tokens[0].itemsPerSecond = 6
        bench.load()
        #expect(bench.identity(token) !== first)
        #expect(bench.identity(token)?.quota.items?.perSecond == 6)
    }

    @Test func theLogSpeaksOnceInAWhile() {
        let notes = AuthNotes()
        #expect(notes.due(nowNs: 1) == nil)
        for _ in 0..<1_000 { notes.note(.unknown, peer: { "192.0.2.1:5" }) }
        let first = notes.due(nowNs: 1)
        #expect(first?.count == 1_000 && first?.peer == "192.0.2.1:5" && first?.failure == .unknown)
        notes.note(.missing, peer: { "192.0.2.2:5" })
        #expect(notes.due(nowNs: AuthNotes.periodNs) == nil)
        #expect(notes.due(nowNs: AuthNotes.periodNs + 1)?.peer == "192.0.2.2:5")
        #expect(notes.due(nowNs: 3 * AuthNotes.periodNs) == nil)
    }
}

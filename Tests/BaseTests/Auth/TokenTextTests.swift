// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Base

/// Numbers that are the same in every run.
private struct Sequence: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}

@Suite struct TokenTextTests {
    @Test func aNewOneIsWellFormedAndLikeNoOther() {
        let texts = (0..<1_000).map { _ in TokenText.generate() }
        #expect(Set(texts).count == texts.count)
        #expect(Set(texts.map(TokenText.shownPart)).count == texts.count)
        for text in texts {
            #expect(text.utf8.count == TokenText.length)
            #expect(text.hasPrefix("stl_"))
            #expect(TokenText.isWellFormed(Array(text.utf8)))
            #expect(text.dropFirst(4).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        }
    }

    // Goal: any one character that is wrong is found. Method: change each to each other.
    @Test func everyTypingErrorIsFound() {
        var random = Sequence(state: 7)
        let text = Array(TokenText.generate(using: &random).utf8)
        for index in text.indices {
            for byte in UInt8(0x21)...0x7e where byte != text[index] {
                var wrong = text
                wrong[index] = byte
                #expect(!TokenText.isWellFormed(wrong), "\(index) \(byte)")
            }
        }
    }

    @Test(arguments: [0, 1, 60, 62, 128])
    func otherLengthsAreNone(length: Int) {
        let text = Array(TokenText.generate().utf8) + [UInt8](repeating: 0x30, count: 128)
        #expect(!TokenText.isWellFormed(Array(text.prefix(length))))
    }

    /// Everybody's scanner must compute the same, so it is nailed down.
    @Test func theChecksumIsTheCommonOne() {
        #expect(CRC32.of(Array("123456789".utf8)) == 0xcbf4_3926)
        #expect(CRC32.of([]) == 0)
        var random = Sequence(state: 1)
        let text = TokenText.generate(using: &random)
        let body = Array(text.utf8.prefix(55))
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        var number: UInt64 = 0
        for character in text.suffix(6) {
            number = number * 62 + UInt64(alphabet.firstIndex(of: character) ?? 0)
        }
        #expect(number == UInt64(CRC32.of(body)))
    }
}

@Suite struct TokenScopesTests {
    @Test(
        arguments: [
            (.ingest, .ingest, true), (.ingest, .read, false), (.read, .ingest, false),
            (.admin, .read, true), (.admin, .ingest, false), (.admin, .admin, true),
            (.read, .admin, false), ([], [], true), (.read, [], true), ([], .read, false),
            ([.ingest, .read], .read, true),
        ] as [(TokenScopes, TokenScopes, Bool)])
    func allows(held: TokenScopes, wanted: TokenScopes, expected: Bool) {
        #expect(held.allows(wanted) == expected)
    }

    @Test func namesComeBack() {
        #expect(TokenScopes.allNames == ["ingest", "read", "admin"])
        for name in TokenScopes.allNames { #expect(TokenScopes(name: name)?.names == [name]) }
        #expect(TokenScopes(name: "write") == nil)
        #expect(TokenScopes(name: "") == nil)
    }
}

@Suite struct CredentialsTests {
    private func credentials(_ fields: [(String, String)]) -> Credentials {
        var credentials = Credentials()
        for (name, value) in fields {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            unsafe name.withUnsafeBytes { name in
                unsafe value.withUnsafeBytes { value in
                    unsafe credentials.add(name: ByteSlice(name), value: ByteSlice(value))
                }
            }
        }
        return credentials
    }

    @Test(
        arguments: [
            ([], nil, false),
            ([("authorization", "Bearer abc")], "abc", false),
            ([("authorization", "bearer abc")], "abc", false),
            ([("authorization", "BEARER  abc ")], "abc", false),
            ([("x-api-key", "abc")], "abc", false),
            ([("x-api-key", " abc ")], "abc", false),
            ([("x-api-keys", "abc"), ("te", "trailers")], nil, false),
            ([("authorization", "Basic abc")], nil, true),
            ([("authorization", "Bearer")], nil, true),
            ([("authorization", "Bearer ")], nil, true),
            ([("authorization", "")], nil, true),
            ([("authorization", "Bearerabc")], nil, true),
            ([("x-api-key", "")], nil, true),
            (
                [("x-api-key", String(repeating: "a", count: 128))],
                String(repeating: "a", count: 128), false
            ),
            ([("x-api-key", String(repeating: "a", count: 129))], nil, true),
            ([("authorization", "Bearer abc"), ("x-api-key", "abc")], "abc", false),
            ([("authorization", "Bearer abc"), ("x-api-key", "abd")], "abc", true),
            ([("authorization", "Bearer abc"), ("authorization", "Basic x")], "abc", true),
        ] as [([(String, String)], String?, Bool)])
    func reads(fields: [(String, String)], token: String?, isUnusable: Bool) {
        let found = credentials(fields)
        #expect(found.token == token.map { Array($0.utf8) })
        #expect(found.isUnusable == isUnusable)
    }
}

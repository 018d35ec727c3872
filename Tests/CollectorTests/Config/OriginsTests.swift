// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

// Goal: only what a browser may send as an origin is taken. Method: a table of both.

@Suite struct OriginsTests {
    private static let origins: [(String, [String]?)] = [
        ("", []), ("*", ["*"]), ("https://a", ["https://a"]),
        ("https://a.example, http://localhost:3", ["https://a.example", "http://localhost:3"]),
        ("a.example", nil), ("https://a/", nil), ("https://", nil), ("https://*.example", nil),
        ("https://A.example", nil), ("ftp://a", nil), ("https://a?b", nil), ("null", nil),
    ]

    @Test(arguments: origins)
    func originsOfPages(text: String, origins: [String]?) throws {
        guard let origins else {
            #expect(throws: ConfigurationError.self) {
                _ = try ConfigurationSources(overrides: ["http.cors_origins=\(text)"]).load()
            }
            return
        }
        let loaded = try ConfigurationSources(overrides: ["http.cors_origins=\(text)"]).load()
        #expect(loaded.configuration.http.allowedOrigins == origins)
    }
}

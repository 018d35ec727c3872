// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TLS

// Goal: a wildcard stands for one whole label and for nothing else. Method: a table with both sides
// of each rule.

@Suite struct NamePatternTests {
    @Test(arguments: [
        ("agent.example", "agent.example", true),
        ("agent.example", "AGENT.Example", true),
        ("Agent.example", "agent.example", true),
        ("agent.example", "agent.example.", false),
        ("agent.example", "agent2.example", false),
        ("agent.example", "", false),
        ("*.example", "agent.example", true),
        ("*.example", "a.agent.example", false),
        ("*.example", ".example", false),
        ("*.example", "example", false),
        ("agent.*.example", "agent.eu-1.example", true),
        ("agent.*.example", "agent.example", false),
        ("*.example", "spiffe://agent.example", false),
        ("spiffe://shop/cart", "spiffe://shop/cart", true),
        ("spiffe://shop/cart", "spiffe://shop/cart2", false),
        ("*", "agent", true),
        ("*", "agent.example", false),
        ("*.example", "*.example", false),
    ])
    func matching(pattern: String, name: String, expected: Bool) throws {
        #expect(try #require(NamePattern(pattern)).matches(name) == expected)
    }

    @Test(arguments: ["", " ", "a b", "a*.example", "*a.example", "a.*b", "a\u{0}b", "**.example"])
    func whatIsNoPattern(text: String) { #expect(NamePattern(text) == nil) }
}

// SPDX-License-Identifier: Apache-2.0

/// What the holder of a token may do.
package struct TokenScopes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Send telemetry.
    package static let ingest = TokenScopes(rawValue: 1)
    /// See what is stored, and how the daemon is.
    package static let read = TokenScopes(rawValue: 2)
    /// Change things; includes `read`.
    package static let admin = TokenScopes(rawValue: 4)

    private static let named: [(name: String, scope: TokenScopes)] = [
        ("ingest", .ingest), ("read", .read), ("admin", .admin),
    ]

    /// All names that there are, in order.
    package static var allNames: [String] { named.map(\.name) }

    /// The scope called `name`, or nil.
    package init?(name: String) {
        guard let found = TokenScopes.named.first(where: { $0.name == name }) else { return nil }
        self = found.scope
    }

    /// The names of those in the set, in order.
    package var names: [String] {
        TokenScopes.named.filter { contains($0.scope) }.map(\.name)
    }

    /// Whether a holder may do what `scope` is for.
    package func allows(_ scope: TokenScopes) -> Bool {
        let effective = contains(.admin) ? union(.read) : self
        return effective.isSuperset(of: scope)
    }
}

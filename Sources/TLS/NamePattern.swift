// SPDX-License-Identifier: Apache-2.0

/// A name that certificates are held against: `agent.example`, `*.example`, `spiffe://shop/cart`.
///
/// A `*` stands for one whole label of a DNS name, never for a part of one or for several (RFC
/// 6125, 6.4.3). Letters are compared without case. Thread: any, a value.
package struct NamePattern: Sendable, Equatable, CustomStringConvertible {
    package let description: String
    private let labels: [String]

    /// Nil where the text is empty, holds blanks or control characters, or a `*` that is not a
    /// label of its own.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
        labels = NamePattern.labels(of: text)
        guard labels.allSatisfy({ $0 == "*" || !$0.contains("*") }) else { return nil }
        description = text
    }

    package func matches(_ name: String) -> Bool {
        let others = NamePattern.labels(of: name)
        guard labels.count == others.count else { return false }
        return zip(labels, others).allSatisfy { pattern, label in
            pattern == "*" ? NamePattern.isLabel(label) : pattern == label
        }
    }

    private static func labels(of text: String) -> [String] {
        text.lowercased().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    }

    /// Whether a `*` may stand for it: what stands in a DNS name, so that no URI passes for one.
    private static func isLabel(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x61...0x7a, 0x2d, 0x5f: true
                default: false
                }
            }
    }
}

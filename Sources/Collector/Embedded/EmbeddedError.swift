// SPDX-License-Identifier: Apache-2.0

/// Why the embedded PostgreSQL cannot be had, and what to do about it.
package struct EmbeddedError: Error, Equatable, CustomStringConvertible {
    /// What the command tells its caller by its exit code.
    package enum Kind: Sendable {
        /// Something has to be changed first: 78.
        case setup
        /// The server did not start, or went away: 69.
        case unavailable
    }

    package let kind: Kind
    /// Half a sentence.
    package let problem: String
    /// Half a sentence in the imperative.
    package let remedy: String

    init(_ kind: Kind, _ problem: String, remedy: String) {
        self.kind = kind
        self.problem = problem
        self.remedy = remedy
    }

    package var description: String {
        "\(problem). \(remedy.prefix(1).uppercased())\(remedy.dropFirst())."
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Where a value comes from. Later cases win over earlier ones.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    /// The key table.
    case builtIn
    /// A line of the configuration file.
    case file(path: String, line: Int)
    /// An environment variable.
    case environment(name: String)
    /// `--set` on the command line.
    case flag
    /// The command itself, for example `up`, which brings its own database.
    case command(name: String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): "environment variable \(name)"
        case .flag: "--set"
        case .command(let name): "starling \(name)"
        }
    }
}

/// One thing that is wrong with the configuration, in words that say what to do about it.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The place, for example `/etc/starling/starling.yaml:12`; nil where there is none.
    package let place: String?
    /// The key; nil where the fault is not one of a single key.
    package let key: String?
    /// What was written there, secrets masked; nil where nothing was.
    package let value: String?
    /// Half a sentence.
    package let problem: String
    /// Half a sentence in the imperative.
    package let remedy: String

    package var description: String {
        var text = place.map { "\($0): " } ?? ""
        if let key {
            text += key
            if let value { text += " = \"\(value)\"" }
            text += ": "
        }
        return text + "\(problem). \(remedy.prefix(1).uppercased())\(remedy.dropFirst())."
    }
}

/// Everything that is wrong with the configuration, found in one go. Exit code 78.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

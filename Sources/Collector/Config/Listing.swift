// SPDX-License-Identifier: Apache-2.0

extension LoadedConfiguration {
    /// The effective values as YAML, secrets masked; with `isShowingOrigins`, where each came from
    /// in a comment. Without secrets it can be used as a configuration file.
    package func listing(isShowingOrigins: Bool) -> String {
        var lines: [(text: String, origin: ConfigurationOrigin?)] = []
        var section: Substring = ""
        for key in ConfigurationKey.all {
            let parts = key.name.split(separator: ".", maxSplits: 1)
            if parts[0] != section {
                section = parts[0]
                lines.append(("\(section):", nil))
            }
            let text = quoted(key.displayText(configuration))
            lines.append(("  \(parts[1]): \(text)", origins[key.name]))
        }
        let width = min(60, lines.map { $0.text.count }.max() ?? 0)
        return lines.map { line in
            guard isShowingOrigins, let origin = line.origin else { return line.text + "\n" }
            let padding = String(repeating: " ", count: max(0, width - line.text.count))
            return "\(line.text)\(padding)  # \(origin)\n"
        }.joined()
    }

    /// A YAML scalar: plain if it has only characters that mean nothing to YAML, else in double
    /// quotes. `${` is written in the way that is no reference.
    private func quoted(_ value: String) -> String {
        let text = value.replacing("${", with: "$${")
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2e, 0x5f: true
            default: false
            }
        }
        let isNull = text.lowercased() == "null"
        if isPlain && !isNull && !text.isEmpty { return text }
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": output += "\\\(scalar)"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            // What YAML 1.1 takes for a line break, or does not take at all.
            case "\0"..."\u{1f}", "\u{7f}"..."\u{9f}": output += "\\x" + hex(scalar, digitCount: 2)
            case "\u{2028}", "\u{2029}", "\u{feff}", "\u{fffe}", "\u{ffff}":
                output += "\\u" + hex(scalar, digitCount: 4)
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }

    private func hex(_ scalar: Unicode.Scalar, digitCount: Int) -> String {
        let digits = String(scalar.value, radix: 16)
        return String(repeating: "0", count: digitCount - digits.count) + digits
    }
}

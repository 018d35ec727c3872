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
    /// quotes.
    private func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2e, 0x5f: true
            default: false
            }
        }
        if isPlain && !text.isEmpty { return text }
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": output += "\\\(scalar)"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case _ where scalar.value < 0x20: output += "\\x" + hex(UInt8(scalar.value))
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }

    private func hex(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
}

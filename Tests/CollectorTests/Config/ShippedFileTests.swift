// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

// Goal: config/starling.yaml documents the key table, all of it and nothing else. Method: read it
// as shipped (all defaults), then with every setting uncommented (still all defaults), and look for
// range, default and reload in the text above each setting.

@Suite struct ShippedFileTests {
    private let path: String
    private let lines: [Substring]

    init() throws {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        path = parts.joined(separator: "/") + "/config/starling.yaml"
        lines = try TextFile.read(path, sizeBytesMax: 1 << 20)
            .split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The name in `  #name: value`, or nil for text.
    private func settingName(_ line: Substring) -> Substring? {
        let trimmed = line.drop { $0 == " " }
        guard trimmed.first == "#", trimmed.dropFirst().first?.isLetter == true else { return nil }
        return trimmed.dropFirst().prefix { $0 != ":" }
    }

    private var uncommented: String {
        lines.map { line in
            guard settingName(line) != nil, let hash = line.firstIndex(of: "#") else {
                return String(line)
            }
            return String(line[..<hash] + line[line.index(after: hash)...])
        }.joined(separator: "\n")
    }

    @Test func asShippedItChangesNothing() throws {
        let loaded = try ConfigurationSources(filePath: path).load()
        #expect(loaded.configuration == .defaults)
        #expect(loaded.origins.values.allSatisfy { $0 == .builtIn })
    }

    @Test func everySettingIsThereWithItsDefault() throws {
        let text = uncommented
        let loaded = try ConfigurationSources(filePath: path).load { (_) throws(TextFile.Fault) in
            text
        }
        #expect(loaded.configuration == .defaults)
        for key in ConfigurationKey.all {
            #expect(loaded.origins[key.name] != .builtIn, "\(key.name) is missing")
        }
        let source = YAMLSource(yaml: text, path: path)
        #expect(source.entries.map(\.key) == ConfigurationKey.all.map(\.name))
        for entry in source.entries {
            #expect(entry.text == ConfigurationKey.named(entry.key)?.defaultText, "\(entry.key)")
        }
    }

    @Test(arguments: ConfigurationKey.all.map(\.name))
    func textAboveSettingSaysHelpRangeAndReload(name: String) throws {
        let key = try #require(ConfigurationKey.named(name))
        let entry = try #require(
            YAMLSource(yaml: uncommented, path: path).entries.first { $0.key == name })
        let block = lines[..<(entry.line - 1)].reversed().prefix { $0.contains("#") }.reversed()
        let text = block.map { $0.drop { $0 == " " || $0 == "#" } }.joined(separator: " ")
        #expect(text.contains("Reload: \(key.isReloadable ? "yes" : "no")."))
        for part in key.help.split(separator: "; ") { #expect(text.contains(part)) }
        for word in key.rangeText.split(whereSeparator: { " ,".contains($0) })
        where word.contains(where: \.isNumber) {
            #expect(text.contains(word), "\(word)")
        }
    }
}

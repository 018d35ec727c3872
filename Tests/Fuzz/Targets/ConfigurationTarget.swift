// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Collector

private let path = "/starling.yaml"
private let environment = [
    "HOST": "db.example", "EMPTY": "", "TRICK": "${env:HOST}", "STARLING_SERVER_LOOPS": "3",
]

/// Input: a byte that says what it is, and a configuration file, a file of attribute rules, lines
/// for `--set`, lines for the environment, or a password and what stands before it.
///
/// Whatever it is, there is a configuration or a list of problems, each in words; and what
/// `config print` shows of a configuration is a file that gives the same one.
func checkConfiguration(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let kind = reader.byte() % 5
    guard let text = String(validating: reader.rest.array, as: UTF8.self) else { return }
    let lines = text.split(separator: "\n").map(String.init)
    switch kind {
    case 0: try check(yaml: text)
    case 1: try checkAttributes(text)
    case 2: try check(ConfigurationSources(overrides: lines), files: [:])
    case 3: try check(ConfigurationSources(environment: variables(lines)), files: [:])
    default: try checkMask(lines.first ?? "", around: lines.dropFirst().joined(separator: "\n"))
    }
}

private func variables(_ lines: [String]) -> [String: String] {
    var variables = environment
    for line in lines {
        guard let equals = line.firstIndex(of: "=") else { continue }
        variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    return variables
}

private func check(yaml: String) throws {
    var sources = ConfigurationSources(filePath: path, environment: environment)
    sources.isDatabaseRequired = true
    try check(sources, files: [path: yaml])
}

private func check(_ sources: ConfigurationSources, files: [String: String]) throws {
    let loaded: LoadedConfiguration
    do throws(ConfigurationError) {
        loaded = try load(sources, files)
    } catch {
        try hold(!error.problems.isEmpty, "there is an error without a problem")
        for problem in error.problems { try checkWords(problem) }
        return
    }
    try checkListing(loaded)
}

/// Reads no file of this machine.
private func load(
    _ sources: ConfigurationSources, _ files: [String: String]
) throws(ConfigurationError) -> LoadedConfiguration {
    try sources.load { (asked) throws(TextFile.Fault) in
        switch asked {
        case "/secret": return "s3cr3t\n"
        case "/rules": return "drop:\n  spans: [a]\n"
        default:
            guard let text = files[asked] else { throw TextFile.Fault(description: "none") }
            return text
        }
    }
}

private func checkWords(_ problem: ConfigurationProblem) throws {
    try hold(!problem.problem.isEmpty && !problem.remedy.isEmpty, "a problem without words")
    try hold(!"\(problem)".isEmpty, "a problem without a description")
}

private func checkListing(_ loaded: LoadedConfiguration) throws {
    for isShowingOrigins in [false, true] {
        let yaml = loaded.listing(isShowingOrigins: isShowingOrigins)
        var again: Configuration
        do throws(ConfigurationError) {
            again = try load(ConfigurationSources(filePath: path), [path: yaml]).configuration
        } catch {
            throw Broken(description: "what is shown cannot be read: \(error)\n\(yaml)")
        }
        var expected = loaded.configuration
        // Its password is masked.
        again.database.url = ""
        expected.database.url = ""
        try hold(again == expected, "what is shown is another configuration:\n\(yaml)")
    }
}

/// However a password is written, and whatever is around it, it is not shown.
private func checkMask(_ password: String, around: String) throws {
    let escaped = password.flatMap { $0 == "'" || $0 == "\\" ? ["\\", $0] : [$0] }
    let quoted = String(escaped)
    let bare = String(password.filter { $0.isLetter })
    for (url, expected) in [
        ("host=a password='\(quoted)' user=b", "host=a password=*** user=b"),
        ("password='\(quoted)", "password=***"),
        ("postgresql://u:\(bare)@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?password=\(bare)&a=b", "postgresql://h/d?password=***&a=b"),
    ] {
        let masked = DatabaseURL.masked(url)
        try hold(masked == expected, "\(url) is shown as \(masked)")
    }
    let word = "Zq\(bare)qZ"
    guard !around.contains(word) else { return }
    let masked = DatabaseURL.masked("\(around) password=\(word)")
    try hold(!masked.contains(word), "\(around) shows the password: \(masked)")
}

private func checkAttributes(_ text: String) throws {
    let file = AttributeRulesFile(overridesYAML: text, path: path)
    for problem in file.problems { try checkWords(problem) }
    let merged = AttributeRules.base.merging(file.rules)
    let mergedAgain = merged.merging(file.rules)
    try hold(merged == mergedAgain, "the same rules twice are not the same")
}

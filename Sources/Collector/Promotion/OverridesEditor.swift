// SPDX-License-Identifier: Apache-2.0
internal import Rows
internal import Yams

/// Adds promotions to the text of an overrides file, and leaves everything else as it was written:
/// order, indentation, comments.
///
/// An edit is believed only after the result was read again and says exactly what it should. What
/// cannot be edited so, such as a list that an alias stands for, is written anew.
struct OverridesEditor {
    /// The new text.
    private(set) var text: String
    /// Whether comments and layout could not be kept.
    private(set) var isRewritten = false
    private var rules: AttributeRules

    private typealias Promotion = AttributeRules.Promotion

    /// `text` has been read without problems; `rules` are what it says.
    init(text: String, rules: AttributeRules) {
        self.text = text
        self.rules = rules
    }

    /// Nothing is to be done where it is there already.
    mutating func promote(_ promotion: AttributeRules.Promotion, in scope: AttributeScope) {
        guard rules.promotions[scope]?.contains(promotion) != true else { return }
        rules.promote(promotion, in: scope)
        let path = ["promote", scope.rawValue, promotion.type.rawValue]
        if let edited = OverridesEditor.inserting(promotion.key, at: path, into: text),
            OverridesEditor.says(edited, rules)
        {
            text = edited
        } else {
            text = OverridesEditor.canonical(rules)
            isRewritten = true
        }
    }

    private static func says(_ text: String, _ rules: AttributeRules) -> Bool {
        let file = AttributeRulesFile(overridesYAML: text, path: "")
        return file.rules.hasSameContent(as: rules)
    }
}

// The text edits. Lines and columns of Yams count from 1, and columns are in characters.
extension OverridesEditor {
    private static let indentStep = 2

    private static func inserting(_ key: String, at path: [String], into text: String) -> String? {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        guard let root = try? Yams.compose(yaml: text, .basic, .default, .utf8) else {
            // Nothing but comments, or nothing at all.
            return joined(lines + block(path[...], key, indent: 0))
        }
        if YAMLSource.isNull(root) { return nil }
        return insert(key, at: path[...], below: root, into: lines)
    }

    private static func insert(
        _ key: String, at path: ArraySlice<String>, below node: Node, into lines: [String]
    ) -> String? {
        guard let name = path.first else { return append(key, to: node, lines) }
        guard let mapping = node.mapping, !isInline(node, lines),
            let mark = mapping.first?.key.mark
        else { return nil }
        let indent = mark.column - 1
        guard let (keyNode, value) = mapping.first(where: { $0.key.scalar?.string == name }) else {
            return inserting(
                block(path, key, indent: indent), afterLine: lastLine(of: node), into: lines)
        }
        if YAMLSource.isNull(value), let line = keyNode.mark?.line {
            let rest = block(path.dropFirst(), key, indent: indent + indentStep)
            return inserting(rest, afterLine: line, into: lines)
        }
        return insert(key, at: path.dropFirst(), below: value, into: lines)
    }

    /// Adds `key` to a list, in the list's own style.
    private static func append(_ key: String, to node: Node, _ lines: [String]) -> String? {
        guard let sequence = node.sequence, let last = sequence.last, let mark = last.mark else {
            return nil
        }
        let line = lastLine(of: last)
        guard lines.indices.contains(line - 1) else { return nil }
        guard !isInline(node, lines) else {
            return appendInline(key, after: mark, to: lines)
        }
        let before = lines[line - 1].prefix(mark.column - 1)
        guard let dash = before.lastIndex(of: "-") else { return nil }
        return inserting([before[..<dash] + "- " + quoted(key)], afterLine: line, into: lines)
    }

    /// Whether a list or mapping is written with brackets. Yams has a field for that, which says
    /// `any` of all that are not empty.
    private static func isInline(_ node: Node, _ lines: [String]) -> Bool {
        guard let mark = node.mark, lines.indices.contains(mark.line - 1) else { return false }
        let rest = lines[mark.line - 1].dropFirst(mark.column - 1)
        return rest.first == "[" || rest.first == "{"
    }

    /// `[a, b]` on one line.
    private static func appendInline(_ key: String, after mark: Mark, to lines: [String]) -> String?
    {
        let line = lines[mark.line - 1]
        guard
            let start = line.index(
                line.startIndex, offsetBy: mark.column - 1, limitedBy: line.endIndex),
            let end = line[start...].firstIndex(of: "]")
        else { return nil }
        var head = line[..<end]
        while head.last == " " { head = head.dropLast() }
        var edited = lines
        edited[mark.line - 1] = head + ", " + quoted(key) + line[head.endIndex...]
        return joined(edited)
    }

    /// The lines of `path` with `key` below it.
    private static func block(
        _ path: ArraySlice<String>, _ key: String, indent: Int
    ) -> [String] {
        var lines: [String] = []
        var depth = indent
        for name in path {
            lines.append(String(repeating: " ", count: depth) + name + ":")
            depth += indentStep
        }
        return lines + [String(repeating: " ", count: depth) + "- " + quoted(key)]
    }

    /// The last line on which something of `node` begins.
    private static func lastLine(of node: Node) -> Int {
        let own = node.mark?.line ?? 0
        switch node {
        case .mapping(let mapping):
            return mapping.reduce(own) { max($0, lastLine(of: $1.key), lastLine(of: $1.value)) }
        case .sequence(let sequence):
            return sequence.reduce(own) { max($0, lastLine(of: $1)) }
        case .scalar, .alias:
            return own
        }
    }

    private static func inserting(
        _ new: [String], afterLine line: Int, into lines: [String]
    ) -> String? {
        guard (0...lines.count).contains(line) else { return nil }
        return joined(lines[..<line] + new + lines[line...])
    }

    private static func joined(_ lines: some Sequence<String>) -> String {
        lines.map { $0 + "\n" }.joined()
    }
}

// Written anew.
extension OverridesEditor {
    /// The file that says what `rules` say, in the order of the scopes and types.
    static func canonical(_ rules: AttributeRules) -> String {
        var lines: [String] = []
        for scope in AttributeScope.allCases {
            let promotions = rules.promotions[scope, default: []]
            guard !promotions.isEmpty else { continue }
            if lines.isEmpty { lines.append("promote:") }
            lines.append("  \(scope.rawValue):")
            for type in AttributeType.allCases {
                let keys = promotions.filter { $0.type == type }.map(\.key)
                guard !keys.isEmpty else { continue }
                lines.append("    \(type.rawValue):")
                lines += keys.map { "      - " + quoted($0) }
            }
        }
        let drops = rules.drops.filter { !$0.value.isEmpty }
        if !drops.isEmpty { lines.append("drop:") }
        for scope in AttributeScope.allCases {
            guard let keys = drops[scope] else { continue }
            lines.append("  \(scope.rawValue):")
            lines += keys.sorted().map { "    - " + quoted($0) }
        }
        return joined(lines)
    }

    /// A name as YAML that reads back as this text, whatever it is.
    static func quoted(_ text: String) -> String {
        if isPlain(text) { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _
            where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
                || scalar.value == 0x2028 || scalar.value == 0x2029 || scalar.value == 0xfeff:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static let words: Set<String> = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n",
    ]

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, !words.contains(text.lowercased()) else {
            return false
        }
        let isLetter = ("a"..."z").contains(first) || ("A"..."Z").contains(first) || first == "_"
        return isLetter
            && text.unicodeScalars.allSatisfy { scalar in
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                    || ("0"..."9").contains(scalar) || "._-/".unicodeScalars.contains(scalar)
            }
    }
}

extension AttributeRules {
    /// Whether both say the same, in whatever order.
    func hasSameContent(as other: AttributeRules) -> Bool {
        AttributeScope.allCases.allSatisfy { scope in
            Set(promotions[scope, default: []]) == Set(other.promotions[scope, default: []])
                && drops[scope, default: []] == other.drops[scope, default: []]
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Rows
import Testing

@testable import Collector

// Goal: the file says what it said before and the new promotion, and what a person wrote stays.
// Method: files of all layouts, and names of all kinds read back.

private func edit(
    _ text: String, _ key: String = "new", _ type: AttributeType = .int,
    _ scope: AttributeScope = .spans
) -> (text: String, isRewritten: Bool) {
    let file = AttributeRulesFile(overridesYAML: text, path: "")
    var editor = OverridesEditor(text: text, rules: file.rules)
    editor.promote(.init(key: key, type: type), in: scope)
    return (editor.text, editor.isRewritten)
}

@Suite struct OverridesEditorTests {
    @Test(
        arguments: [
            // Nothing there yet.
            ("", "promote:\n  spans:\n    int:\n      - new\n"),
            ("# a comment\n", "# a comment\npromote:\n  spans:\n    int:\n      - new\n"),
            ("# no end of line", "# no end of line\npromote:\n  spans:\n    int:\n      - new\n"),
            ("promote:\n", "promote:\n  spans:\n    int:\n      - new\n"),
            ("promote:\n  spans:\n", "promote:\n  spans:\n    int:\n      - new\n"),
            (
                "promote:\n  spans: ~ # soon\n    # more\n",
                nil
            ),
            (
                "drop:\n  logs:\n    - a\n",
                "drop:\n  logs:\n    - a\npromote:\n  spans:\n    int:\n      - new\n"
            ),
            // Lists, with dashes at either place, comments and blank lines.
            (
                "promote:\n  spans:\n    int:\n      - a  # why\n\n  logs:\n    int: [b]\n",
                "promote:\n  spans:\n    int:\n      - a  # why\n      - new\n\n"
                    + "  logs:\n    int: [b]\n"
            ),
            (
                "promote:\n  spans:\n    int:\n    - a\n    - 'b'\ndrop: {}\n",
                "promote:\n  spans:\n    int:\n    - a\n    - 'b'\n    - new\ndrop: {}\n"
            ),
            (
                "promote:\n  spans:\n    int: [a, b] # both\n",
                "promote:\n  spans:\n    int: [a, b, new] # both\n"
            ),
            (
                "promote:\n  spans:\n    int: [ a ]\n",
                "promote:\n  spans:\n    int: [ a, new ]\n"
            ),
            (
                "promote:\n  spans:\n    string:\n      - a\n  # of logs\n  logs:\n    int: [b]\n",
                "promote:\n  spans:\n    string:\n      - a\n    int:\n      - new\n  # of logs\n"
                    + "  logs:\n    int: [b]\n"
            ),
            (
                "promote:\n    logs:\n        int:\n            - b\n",
                "promote:\n    logs:\n        int:\n            - b\n    spans:\n"
                    + "      int:\n        - new\n"
            ),
        ] as [(String, String?)])
    func layoutStays(text: String, expected: String?) {
        let edited = edit(text)
        if let expected {
            #expect(edited.text == expected)
            #expect(!edited.isRewritten)
        }
        let rules = AttributeRulesFile(overridesYAML: edited.text, path: "").rules
        let before = AttributeRulesFile(overridesYAML: text, path: "").rules
        var wanted = before
        wanted.promote(.init(key: "new", type: .int), in: .spans)
        #expect(rules.hasSameContent(as: wanted))
    }

    @Test(
        arguments: [
            "promote: {spans: {string: [a]}}\n", "promote:\n  spans: {int: [a]}\n",
            "promote:\n  spans:\n    int: []\n", "promote:\n  spans:\n    int: [a,\n      b]\n",
            "promote:\n  spans:\n    int: &list [a]\n  logs:\n    int: *list\n",
            "promote:\r\n  spans:\r\n    int:\r\n      - a\r\n",
            "{promote: {spans: {int: [a]}}, drop: {logs: [b]}}",
            "--- \npromote:\n  spans:\n    int:\n      - a\n...\n",
            "promote:\n  spans:\n    int:\n      - |-\n        a\n",
            "? promote\n: spans:\n    int: [a]\n",
        ])
    func whateverTheLayoutTheContentIsRight(text: String) {
        let before = AttributeRulesFile(overridesYAML: text, path: "")
        #expect(before.problems.isEmpty)
        var wanted = before.rules
        wanted.promote(.init(key: "new", type: .int), in: .spans)
        let after = AttributeRulesFile(overridesYAML: edit(text).text, path: "")
        #expect(after.problems.isEmpty)
        #expect(after.rules.hasSameContent(as: wanted))
    }

    @Test func whatIsThereStaysAsItIs() {
        let text = "promote: {spans: {int: [new]}}"
        #expect(edit(text).text == text)
        #expect(!edit(text).isRewritten)
    }

    @Test(
        arguments: [
            "app.tenant", "a b", "true", "No", "null", "~", "1", "1.5", "- a", "a: b", "a #b",
            "[a]",
            "{a}", "*a", "&a", "!a", "%a", "@a", "'a'", "\"a\"", "a\\b", "ключ", "a,b", "a]b",
            "\t", "\u{1}", "line\nbreak", " a ", "\u{85}", "\u{2028}", "😀", "=", "<<", "a:",
        ])
    func anyNameReadsBack(key: String) {
        for text in [
            "", "promote:\n  spans:\n    int: [a]\n", "promote:\n  spans:\n    int:\n    - a\n",
        ] {
            let rules = AttributeRulesFile(overridesYAML: edit(text, key).text, path: "").rules
            #expect(rules.promotions[.spans]?.contains(.init(key: key, type: .int)) == true)
        }
        var rules = AttributeRules()
        rules.promote(.init(key: key, type: .bytes), in: .logs)
        rules.drop(key, in: .resource)
        let text = OverridesEditor.canonical(rules)
        #expect(AttributeRulesFile(overridesYAML: text, path: "").rules == rules)
    }

    @Test func everyTypeAndScopeCanBeAddedOneAfterTheOther() {
        var editor = OverridesEditor(text: "# ours\n", rules: AttributeRules())
        var wanted = AttributeRules()
        for scope in AttributeScope.allCases {
            for type in AttributeType.allCases {
                for number in 0..<3 {
                    let promotion = AttributeRules.Promotion(key: "k\(number)", type: type)
                    editor.promote(promotion, in: scope)
                    wanted.promote(promotion, in: scope)
                }
            }
        }
        #expect(!editor.isRewritten && editor.text.hasPrefix("# ours\npromote:\n"))
        #expect(AttributeRulesFile(overridesYAML: editor.text, path: "").rules == wanted)
    }
}

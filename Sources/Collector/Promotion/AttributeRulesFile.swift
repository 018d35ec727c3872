// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Rows
internal import Yams

/// A YAML file of attribute rules, read and checked.
///
/// `promote` has lists of names by scope and type, `drop` lists of names by scope. The base list is
/// the former alone.
struct AttributeRulesFile {
    private(set) var rules = AttributeRules()
    /// Everything that is wrong with it, in the order of the file.
    private(set) var problems: [ConfigurationProblem] = []
    private let path: String
    /// Names in one list: far more than a table may have columns, few enough to compare each with
    /// each.
    static let listCountMax = 4_000

    private enum Section: String, CaseIterable { case promote, drop }

    /// The base list.
    init(baseYAML yaml: String) {
        path = "config/attribute-promotion.yaml"
        read(yaml) { file, root in file.readPromotions(root, key: "") }
    }

    /// An administrator's rules; `path` is for messages only.
    init(overridesYAML yaml: String, path: String) {
        self.path = path
        read(yaml) { file, root in file.readOverrides(root) }
        checkColumnCount()
    }

    private mutating func read(
        _ yaml: String, _ readRoot: (inout AttributeRulesFile, Node.Mapping) -> Void
    ) {
        do {
            guard let root = try Yams.compose(yaml: yaml, .basic, .default, .utf8) else { return }
            if YAMLSource.isNull(root) { return }
            guard let mapping = root.mapping else {
                return report(
                    root, nil, "the file is not a list of sections", "write promote: first")
            }
            readRoot(&self, mapping)
        } catch let error as YamlError {
            problems.append(YAMLSource.problem(error, path: path))
        } catch {
            problems.append(
                ConfigurationProblem(
                    place: path, key: nil, value: nil, problem: "the file is not YAML: \(error)",
                    remedy: "check its syntax"))
        }
    }

    private mutating func readOverrides(_ root: Node.Mapping) {
        for (name, node) in root {
            guard let section = one(of: Section.allCases, name, key: "") else { continue }
            guard !YAMLSource.isNull(node) else { continue }
            guard let mapping = node.mapping else {
                let remedy = section == .promote ? "a type with a list of names" : "a list of names"
                report(
                    node, section.rawValue, "this is not a list of scopes",
                    "write a scope such as spans: below it, and below that \(remedy)")
                continue
            }
            switch section {
            case .promote: readPromotions(mapping, key: "promote.")
            case .drop: readDrops(mapping)
            }
        }
    }

    private mutating func readPromotions(_ scopes: Node.Mapping, key prefix: String) {
        for (name, node) in scopes {
            guard let scope = one(of: AttributeScope.allCases, name, key: prefix) else { continue }
            let key = prefix + scope.rawValue
            guard !YAMLSource.isNull(node) else { continue }
            guard let types = node.mapping else {
                report(
                    node, key, "this is not a list of types",
                    "write a type such as string: below it, and below that a list of names")
                continue
            }
            for (name, node) in types {
                guard let type = one(of: AttributeType.allCases, name, key: key + ".") else {
                    continue
                }
                for attribute in names(node, key: "\(key).\(type.rawValue)") {
                    rules.promote(.init(key: attribute, type: type), in: scope)
                }
            }
        }
    }

    private mutating func readDrops(_ scopes: Node.Mapping) {
        for (name, node) in scopes {
            guard let scope = one(of: AttributeScope.allCases, name, key: "drop.") else { continue }
            for attribute in names(node, key: "drop.\(scope.rawValue)") {
                rules.drop(attribute, in: scope)
            }
        }
    }

    /// The list of names below a key.
    private mutating func names(_ node: Node, key: String) -> [String] {
        if YAMLSource.isNull(node) { return [] }
        guard let sequence = node.sequence else {
            report(
                node, key, "this is not a list", "write each name on a line of its own after a dash"
            )
            return []
        }
        guard sequence.count <= AttributeRulesFile.listCountMax else {
            report(
                node, key, "this list has more than \(AttributeRulesFile.listCountMax) names",
                "remove those that are not needed")
            return []
        }
        var names: [String] = []
        for item in sequence {
            guard let name = item.scalar?.string, !YAMLSource.isNull(item), !name.isEmpty else {
                report(
                    item, key, "an entry of the list is not a name",
                    "write one name after each dash")
                continue
            }
            guard name.utf8.count <= AttributeTable.keySizeBytesMax else {
                report(
                    item, key, value: String(name.prefix(40)) + "...",
                    "this name is longer than \(AttributeTable.keySizeBytesMax) bytes", "remove it")
                continue
            }
            guard !names.contains(name) else {
                report(
                    item, key, value: name, "this name is written twice", "remove one of the two")
                continue
            }
            names.append(name)
        }
        return names
    }

    /// The case that a key of the file names.
    private mutating func one<Choice: RawRepresentable<String>>(
        of choices: [Choice], _ name: Node, key prefix: String
    ) -> Choice? {
        let written = name.scalar?.string ?? ""
        if let choice = choices.first(where: { $0.rawValue == written }) { return choice }
        let names = choices.map(\.rawValue)
        let near = KeySuggestion.nearest(to: written, among: names)
        let list = names.joined(separator: ", ")
        report(
            name, prefix + written, "there is no such key here",
            near.map { "perhaps \($0) is meant; there are \(list)" } ?? "write one of \(list)")
        return nil
    }

    /// A table never loses a column that it had, so what may be asked for at once stays well below
    /// what it can have.
    private mutating func checkColumnCount() {
        let merged = AttributeRules.base.merging(rules)
        for scope in AttributeScope.allCases where scope.promotedSignal != nil {
            let count = merged.effectivePromotions(in: scope).count
            guard count > AttributePlan.columnCountMax else { continue }
            problems.append(
                ConfigurationProblem(
                    place: path, key: "promote.\(scope.rawValue)", value: nil,
                    problem:
                        "with those of the program, \(count) attributes are promoted, more than "
                        + "\(AttributePlan.columnCountMax)",
                    remedy: "promote those that are often searched for"))
        }
    }

    private mutating func report(
        _ node: Node, _ key: String?, value: String? = nil, _ problem: String, _ remedy: String
    ) {
        problems.append(
            ConfigurationProblem(
                place: "\(path):\(node.mark?.line ?? 1)", key: key, value: value, problem: problem,
                remedy: remedy))
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Yams

/// The configuration file as a flat list: `a: {b: 1}` is key `a.b` with text `1`.
struct YAMLSource {
    struct Entry {
        let key: String
        let text: String
        /// From 1.
        let line: Int
    }

    private(set) var entries: [Entry] = []
    private(set) var problems: [ConfigurationProblem] = []
    private let path: String
    /// Values that were looked at. A few lines of aliases for one another can stand for billions.
    private var valueCount = 0

    /// Of one file; there are far fewer keys.
    static let valueCountMax = 500

    /// Reads `yaml`; `path` is only for messages. What cannot be read is in `problems`.
    init(yaml: String, path: String) {
        self.path = path
        do {
            guard let root = try Yams.compose(yaml: yaml, .basic, .default, .utf8) else { return }
            if root.scalar.map(YAMLSource.isNull) == true { return }
            guard let mapping = root.mapping else {
                report(
                    line: line(root), key: nil, "the file is not a list of sections",
                    "write database: first")
                return
            }
            flatten(mapping, prefix: "")
            if valueCount > YAMLSource.valueCountMax {
                report(
                    line: 1, key: nil,
                    "the file has more than \(YAMLSource.valueCountMax) values",
                    "remove aliases (*name) of sections, and keys that do not exist")
            }
        } catch let error as YamlError {
            report(error)
        } catch {
            report(line: 1, key: nil, "the file is not YAML: \(error)", "check its syntax")
        }
    }

    private mutating func flatten(_ mapping: Node.Mapping, prefix: String) {
        for (keyNode, value) in mapping {
            valueCount += 1
            guard valueCount <= YAMLSource.valueCountMax else { return }
            guard let name = keyNode.scalar?.string else {
                report(
                    line: line(keyNode), key: nil, "a key is not text",
                    "write section: and name: value")
                continue
            }
            append(value, key: prefix + name, line: line(keyNode))
        }
    }

    private mutating func append(_ value: Node, key: String, line: Int) {
        let isSection = ConfigurationKey.isSection(key)
        switch value {
        case .mapping(let mapping):
            flatten(mapping, prefix: key + ".")
        case .scalar(let scalar) where YAMLSource.isNull(scalar) && isSection:
            break  // every line of the section is commented out
        case .scalar(let scalar)
        where YAMLSource.isNull(scalar) && ConfigurationKey.named(key) != nil:
            report(
                line: line, key: key, "there is no value",
                "write one (\"\" for an empty one), or remove the line")
        case .scalar where isSection:
            report(
                line: line, key: key, "this is a section, not a key",
                "write its keys indented below it")
        case .scalar(let scalar):
            if entries.contains(where: { $0.key == key }) {
                report(line: line, key: key, "the key is written twice", "remove one of the two")
            }
            entries.append(Entry(key: key, text: scalar.string, line: line))
        case .sequence, .alias:
            report(line: line, key: key, "a key has one value, not a list", "write one value")
        }
    }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private func line(_ node: Node) -> Int { node.mark?.line ?? 1 }

    private mutating func report(line: Int, key: String?, _ problem: String, _ remedy: String) {
        problems.append(
            ConfigurationProblem(
                place: "\(path):\(line)", key: key, value: nil, problem: problem, remedy: remedy))
    }

    private mutating func report(_ error: YamlError) {
        problems.append(YAMLSource.problem(error, path: path))
    }
}

extension YAMLSource {
    static func isNull(_ node: Node) -> Bool { node.scalar.map(isNull) == true }

    /// What is wrong with the syntax of the file at `path`.
    static func problem(_ error: YamlError, path: String) -> ConfigurationProblem {
        func problem(line: Int, _ problem: String, _ remedy: String) -> ConfigurationProblem {
            ConfigurationProblem(
                place: "\(path):\(line)", key: nil, value: nil, problem: problem, remedy: remedy)
        }
        let remedy = "check indentation, colons and quotes there"
        switch error {
        case .scanner(_, let fault, let mark, _), .parser(_, let fault, let mark, _),
            .composer(_, let fault, let mark, _):
            return problem(line: mark.line, "the file is not valid YAML: \(fault)", remedy)
        case .reader(let fault, _, _, _):
            return problem(
                line: 1, "the file is not valid YAML: \(fault)", "remove control characters")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return problem(
                line: context.mark.line,
                "a key is written twice: \(duplicates.joined(separator: ", "))",
                "remove one of the two")
        default:
            return problem(line: 1, "the file is not valid YAML: \(error)", remedy)
        }
    }
}

extension ConfigurationKey {
    /// Whether keys live under `name`.
    static func isSection(_ name: String) -> Bool { all.contains { $0.name.hasPrefix(name + ".") } }
}

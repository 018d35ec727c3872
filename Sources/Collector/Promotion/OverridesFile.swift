// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The file that `attributes.overrides_file` names, for a verb that changes it.
struct OverridesFile {
    /// As configured.
    let path: String
    let text: String
    let rules: AttributeRules

    private static let sizeBytesMax = 1 << 20

    /// Errors: none is configured, or it cannot be read, or has mistakes.
    init(_ configuration: Configuration) throws(ConfigurationError) {
        path = configuration.attributes.overridesFile
        guard !path.isEmpty else {
            throw OverridesFile.error(
                path: nil, problem: "no file is named, so there is nowhere to write promotions to",
                remedy: "make an empty file, and set this key to its path for the daemon and here")
        }
        do {
            text = try TextFile.read(path, sizeBytesMax: OverridesFile.sizeBytesMax)
        } catch {
            throw OverridesFile.error(
                path: path, problem: "the file cannot be read: \(error)",
                remedy: "check the path and its permissions")
        }
        let file = AttributeRulesFile(overridesYAML: text, path: path)
        guard file.problems.isEmpty else { throw ConfigurationError(problems: file.problems) }
        rules = file.rules
    }

    /// Replaces the file as a whole: whoever reads it meanwhile sees the old text or the new one.
    ///
    /// A link stays one, and so do owner and permissions. With `keepsOld` the old text is next to
    /// it, in a file whose name ends in `.old`.
    func replace(with newText: String, keepsOld: Bool) throws(ConfigurationError) {
        let target = OverridesFile.resolved(path)
        guard let entry = FileSystem.target(target) else {
            throw OverridesFile.error(
                path: path, problem: "the file is gone", remedy: "make it again")
        }
        do throws(EmbeddedError) {
            if keepsOld { try FileSystem.replace(target + ".old", with: text, mode: entry.mode) }
            try FileSystem.replace(target, with: newText, mode: entry.mode)
            if FileSystem.target(target).map({ $0.userID != entry.userID }) == true {
                try FileSystem.changeOwner(target, userID: entry.userID, groupID: entry.groupID)
            }
        } catch {
            throw OverridesFile.error(
                path: path, problem: "the file cannot be written: \(error.problem)",
                remedy: "check the permissions of its folder, or add the lines by hand")
        }
    }

    /// Where a chain of links ends.
    private static func resolved(_ path: String) -> String {
        var path = FileSystem.absolute(path)
        for _ in 0..<16 {
            guard let link = FileSystem.linkTarget(path) else { return path }
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            path = FileSystem.absolute(link.hasPrefix("/") ? link : "/\(folder)/\(link)")
        }
        return path
    }

    private static func error(
        path: String?, problem: String, remedy: String
    ) -> ConfigurationError {
        ConfigurationError(problems: [
            ConfigurationProblem(
                place: nil, key: "attributes.overrides_file", value: path, problem: problem,
                remedy: remedy)
        ])
    }
}

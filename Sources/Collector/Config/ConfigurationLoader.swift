// SPDX-License-Identifier: Apache-2.0
internal import Base
package import Socket

/// What a configuration is made from. Order of precedence: `fixed`, overrides, environment, file.
package struct ConfigurationSources: Sendable {
    /// The file to read; nil for none.
    package var filePath: String?
    /// All variables of the process; those that begin with STARLING_ must name keys.
    package var environment: [String: String]
    /// `key=value`, as after `--set`; of two for one key the last one wins.
    package var overrides: [String]
    /// Values that the command brings itself; setting them elsewhere is an error.
    package var fixed: [String: String]
    /// The verb, for messages about `fixed`.
    package var commandName: String
    /// Whether `database.url` must be there.
    package var isDatabaseRequired: Bool
    /// Whether a daemon is to be started with it: then listeners are looked at, which may ask the
    /// resolver for names of hosts, and the files of TLS are loaded.
    package var isForDaemon = false
    /// Where the sockets are that the service manager has opened, in the place of `listen.*`.
    package var activated: [ListenerName: Endpoint] = [:]

    package init(
        filePath: String? = nil, environment: [String: String] = [:], overrides: [String] = [],
        fixed: [String: String] = [:], commandName: String = "", isDatabaseRequired: Bool = false
    ) {
        self.filePath = filePath
        self.environment = environment
        self.overrides = overrides
        self.fixed = fixed
        self.commandName = commandName
        self.isDatabaseRequired = isDatabaseRequired
    }
}

/// A configuration together with where each value came from.
package struct LoadedConfiguration: Sendable {
    package let configuration: Configuration
    /// By key; every key is there.
    package let origins: [String: ConfigurationOrigin]
}

extension ConfigurationSources {
    /// Reads, checks and merges everything. Blocks on files.
    ///
    /// Throws all problems at once, in the order file, environment, flags, relations between keys.
    package func load() throws(ConfigurationError) -> LoadedConfiguration {
        try load { (path) throws(TextFile.Fault) in
            try TextFile.read(path, sizeBytesMax: 1 << 20)
        }
    }

    /// Holds the token of the command itself, as a client of a daemon: no key.
    package static let tokenVariable = "STARLING_TOKEN"

    /// As `load()`, with another way to read files.
    func load(
        readFile: @escaping (String) throws(TextFile.Fault) -> String
    ) throws(ConfigurationError) -> LoadedConfiguration {
        var loader = ConfigurationLoader(
            interpolation: Interpolation(environment: environment, readFile: readFile))
        if let filePath { loader.addFile(filePath) }
        loader.addEnvironment(environment)
        for override in overrides { loader.addOverride(override) }
        loader.addFixed(fixed, commandName: commandName)
        loader.checkRelations(isDatabaseRequired: isDatabaseRequired)
        if isForDaemon {
            loader.checkCertificateIdentity()
        }
        loader.addAttributeOverrides()
        if isForDaemon {
            loader.checkReach(activated: activated)
            loader.loadSecurity()
        }
        guard loader.problems.isEmpty else { throw ConfigurationError(problems: loader.problems) }
        return LoadedConfiguration(configuration: loader.configuration, origins: loader.origins)
    }
}

/// Applies one source after the other, the weakest first, and collects what is wrong.
struct ConfigurationLoader {
    private(set) var configuration = Configuration.defaults
    private(set) var origins = Dictionary(
        uniqueKeysWithValues: ConfigurationKey.all.map { ($0.name, ConfigurationOrigin.builtIn) })
    private(set) var problems: [ConfigurationProblem] = []
    /// Keys with a wrong value: relations with them are not checked, that would be a second
    /// complaint.
    private(set) var faultyKeys: Set<String> = []
    private let interpolation: Interpolation

    init(interpolation: Interpolation) { self.interpolation = interpolation }

    mutating func addFile(_ path: String) {
        let yaml: String
        do {
            yaml = try interpolation.readFile(path)
        } catch {
            problems.append(
                ConfigurationProblem(
                    place: path, key: nil, value: nil, problem: "the file cannot be read: \(error)",
                    remedy: "check the path given with --config and its permissions"))
            return
        }
        let source = YAMLSource(yaml: yaml, path: path)
        problems += source.problems
        for entry in source.entries {
            add(entry.key, entry.text, .file(path: path, line: entry.line))
        }
    }

    mutating func addEnvironment(_ environment: [String: String]) {
        let prefix = ConfigurationKey.environmentPrefix
        var names = environment.keys.filter { $0.hasPrefix(prefix) }.sorted()
        names.removeAll { $0 == ConfigurationSources.tokenVariable }
        #if DEBUG
        names.removeAll { $0 == TestBreak.variable }
        #endif
        for name in names {
            let origin = ConfigurationOrigin.environment(name: name)
            if let key = ConfigurationKey.all.first(where: { $0.environmentName == name }) {
                add(key.name, environment[name] ?? "", origin)
            } else {
                let near = KeySuggestion.nearest(
                    to: name, among: ConfigurationKey.all.map(\.environmentName))
                let remedy = near.map { "perhaps \($0) is meant" } ?? "unset it"
                report(
                    origin, nil, nil,
                    ValueFault("this names no key", remedy: remedy + KeySuggestion.listing))
            }
        }
    }

    mutating func addOverride(_ override: String) {
        guard let equals = override.firstIndex(of: "=") else {
            let fault = ValueFault("\"\(override)\" has no =", remedy: "write --set key=value")
            report(.flag, nil, nil, fault)
            return
        }
        add(String(override[..<equals]), String(override[override.index(after: equals)...]), .flag)
    }

    mutating func addFixed(_ fixed: [String: String], commandName: String) {
        for (name, text) in fixed.sorted(by: { $0.key < $1.key }) {
            if let origin = origins[name], origin != .builtIn,
                let key = ConfigurationKey.named(name)
            {
                let fault = ValueFault(
                    "`starling \(commandName)` brings this itself",
                    remedy:
                        "remove it, or use `starling serve`, which takes it from the configuration")
                report(origin, name, key.displayText(configuration), fault)
            }
            add(name, text, .command(name: commandName), isInterpolated: false)
        }
    }

    private mutating func add(
        _ name: String, _ written: String, _ origin: ConfigurationOrigin,
        isInterpolated: Bool = true
    ) {
        guard let key = ConfigurationKey.named(name) else {
            let near = KeySuggestion.nearest(to: name, among: ConfigurationKey.all.map(\.name))
            let remedy = near.map { "perhaps \($0) is meant" } ?? "remove it"
            report(
                origin, name, nil,
                ValueFault("there is no such key", remedy: remedy + KeySuggestion.listing))
            return
        }
        var value = written
        do {
            if isInterpolated { value = try interpolation.expand(written) }
            try key.assign(value, &configuration)
            origins[name] = origin
            faultyKeys.remove(name)
        } catch {
            faultyKeys.insert(name)
            report(origin, name, key.displayText(written: value), error)
        }
    }

    /// Reads the file that the configuration names, if it does.
    mutating func addAttributeOverrides() {
        let path = configuration.attributes.overridesFile
        guard !path.isEmpty else { return }
        do {
            let file = AttributeRulesFile(
                overridesYAML: try interpolation.readFile(path), path: path)
            problems += file.problems
            configuration.attributes.rules = .base.merging(file.rules)
        } catch {
            report(
                ["attributes.overrides_file"],
                ValueFault(
                    "the file cannot be read: \(error)",
                    remedy: "check the path and its permissions, or set it to \"\" for none"))
        }
    }

    mutating func addSecurityNotes(_ notes: [String]) { configuration.tls.notes += notes }

    private mutating func report(
        _ origin: ConfigurationOrigin, _ key: String?, _ value: String?, _ fault: ValueFault
    ) {
        problems.append(
            ConfigurationProblem(
                place: origin.description, key: key, value: value, problem: fault.problem,
                remedy: fault.remedy))
    }

    /// For what is wrong between keys; `keys[0]` is named first.
    mutating func report(_ keys: [String], _ fault: ValueFault) {
        guard faultyKeys.isDisjoint(with: keys) else { return }
        let place = origins[keys[0]].flatMap { $0 == .builtIn ? nil : $0.description }
        let text = ConfigurationKey.named(keys[0])?.displayText(configuration)
        let value = place == nil && text == "" ? nil : text
        problems.append(
            ConfigurationProblem(
                place: place, key: keys[0], value: value, problem: fault.problem,
                remedy: fault.remedy))
    }
}

extension Configuration {
    /// The default of every key.
    package static let defaults: Configuration = {
        var configuration = Configuration()
        configuration.attributes.rules = .base
        for key in ConfigurationKey.all {
            do {
                try key.assign(key.defaultText, &configuration)
            } catch {
                preconditionFailure("the default of \(key.name) is not valid: \(error)")
            }
        }
        return configuration
    }()
}

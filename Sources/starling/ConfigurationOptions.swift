// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import Collector

/// The options of every verb that has a configuration.
struct ConfigurationOptions: ParsableArguments {
    static let defaultPath = "/etc/starling/starling.yaml"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The configuration file.",
            discussion: """
                Without it \(defaultPath) is read, if it is there; `up` reads only what is named.
                """,
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Set a key, as in --set log.level=debug; may be repeated.",
            discussion: """
                It is stronger than the environment (STARLING_LOG_LEVEL=debug), which is \
                stronger than the file. `starling config print` lists every key.
                """,
            valueName: "key=value"))
    var set: [String] = []

    func validate() throws {
        for override in set where !override.contains("=") {
            throw ValidationError("--set \(override) has no =; write --set key=value")
        }
    }

    /// Where this run's configuration comes from.
    ///
    /// Thread: call while there is one thread.
    func sources(
        isDatabaseRequired: Bool, hasDefaultFile: Bool = true, isForDaemon: Bool = false
    ) -> ConfigurationSources {
        let defaultPath = ConfigurationOptions.defaultPath
        let isDefaultThere = unsafe hasDefaultFile && access(defaultPath, F_OK) == 0
        var sources = ConfigurationSources(
            filePath: config ?? (isDefaultThere ? defaultPath : nil),
            environment: ProcessEnvironment.all(), overrides: set,
            isDatabaseRequired: isDatabaseRequired)
        sources.isForDaemon = isForDaemon
        return sources
    }
}

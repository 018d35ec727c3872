// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One row of the key table: everything that is known about a key, in one place.
///
/// From it come the parser, `config print`, the text of errors, the environment names, and the test
/// that holds `config/starling.yaml` to it.
package struct ConfigurationKey: Sendable {
    /// `section.name`, as in the file and after `--set`.
    package let name: String
    /// What the value is, for example "size".
    package let typeText: String
    /// What it counts; empty where that makes no sense.
    package let unitText: String
    /// Which values are allowed.
    package let rangeText: String
    /// The default as it would be written in the file.
    package let defaultText: String
    /// Whether a reload (SIGHUP) takes a new value over, or only a restart does.
    package let isReloadable: Bool
    /// Whether the value must not be shown.
    package let isSecret: Bool
    /// What it is for, one sentence.
    package let help: String

    /// Reads `text` into the key's field.
    let assign: @Sendable (_ text: String, inout Configuration) throws(ValueFault) -> Void
    /// The field as text that `assign` reads back, secrets included.
    let text: @Sendable (Configuration) -> String
    /// Takes the field over from another value.
    let copy: @Sendable (_ source: Configuration, inout Configuration) -> Void

    init<Value: Sendable & Equatable>(
        _ name: String, _ field: any WritableKeyPath<Configuration, Value> & Sendable,
        _ format: ValueFormat<Value>, default defaultText: String, isReloadable: Bool = false,
        isSecret: Bool = false, help: String
    ) {
        self.name = name
        typeText = format.typeText
        unitText = format.unitText
        rangeText = format.rangeText
        self.defaultText = defaultText
        self.isReloadable = isReloadable
        self.isSecret = isSecret
        self.help = help
        assign = { (text, configuration) throws(ValueFault) in
            configuration[keyPath: field] = try format.parse(text)
        }
        text = { format.text($0[keyPath: field]) }
        copy = { source, target in target[keyPath: field] = source[keyPath: field] }
    }

    /// The name of the environment variable that sets the key: `STARLING_` and the name in
    /// capitals.
    package var environmentName: String {
        ConfigurationKey.environmentPrefix
            + name.uppercased().split(separator: ".").joined(separator: "_")
    }

    package static let environmentPrefix = "STARLING_"

    /// The value as it may be shown to people.
    package func displayText(_ configuration: Configuration) -> String {
        displayText(written: text(configuration))
    }

    /// `written` as it may be shown to people: the secret parts are masked.
    package func displayText(written: String) -> String {
        isSecret ? DatabaseURL.masked(written) : written
    }

    /// The key called `name`, or nil.
    package static func named(_ name: String) -> ConfigurationKey? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

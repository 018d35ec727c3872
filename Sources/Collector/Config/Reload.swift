// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// What a reload would change.
    package struct Change: Sendable, Equatable {
        package let key: String
        /// Values as they may be shown.
        package let oldText: String
        package let newText: String
        /// False: it takes a restart, the old value stays.
        package let isAdopted: Bool
    }

    /// This configuration with the reloadable keys of `other`, and every difference between the
    /// two.
    package func adopting(
        _ other: Configuration
    ) -> (configuration: Configuration, changes: [Change]) {
        var result = self
        var changes: [Change] = []
        for key in ConfigurationKey.all where key.text(self) != key.text(other) {
            if key.isReloadable { key.copy(other, &result) }
            changes.append(
                Change(
                    key: key.name, oldText: key.displayText(self), newText: key.displayText(other),
                    isAdopted: key.isReloadable))
        }
        // Of the same file the content may have changed.
        if result.attributes.rules != other.attributes.rules {
            changes.append(
                Change(
                    key: "the content of attributes.overrides_file",
                    oldText: result.attributes.rules.summary,
                    newText: other.attributes.rules.summary, isAdopted: true))
            result.attributes.rules = other.attributes.rules
        }
        return (result, changes)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Socket

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
    /// two. `activated` are the sockets that take the place of `listen.*`.
    ///
    /// Throws where the two together would let other machines in unasked. May ask the resolver, and
    /// so block.
    package func adopting(
        _ other: Configuration, activated: [ListenerName: Endpoint] = [:]
    ) throws(ConfigurationError) -> (configuration: Configuration, changes: [Change]) {
        var result = self
        var changes: [Change] = []
        for key in ConfigurationKey.all where key.text(self) != key.text(other) {
            let isAdopted = key.isReloadable && canAdopt(key, of: other)
            if isAdopted { key.copy(other, &result) }
            changes.append(
                Change(
                    key: key.name, oldText: key.displayText(self), newText: key.displayText(other),
                    isAdopted: isAdopted))
        }
        result.tls.notes = other.tls.notes
        // Of the same file the content may have changed.
        if result.attributes.rules != other.attributes.rules {
            changes.append(
                Change(
                    key: "the content of attributes.overrides_file",
                    oldText: result.attributes.rules.summary,
                    newText: other.attributes.rules.summary, isAdopted: true))
            result.attributes.rules = other.attributes.rules
        }
        let problems = result.problemsOfReload(activated: activated)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return (result, changes)
    }

    /// TLS is neither turned on nor off by a reload: what is served would be another protocol.
    private func canAdopt(_ key: ConfigurationKey, of other: Configuration) -> Bool {
        !key.name.hasPrefix("tls.") || tls.isOn == other.tls.isOn
    }
}

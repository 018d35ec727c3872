// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

/// Names of attributes that are not stored. Immutable.
///
/// Thread: any. Cost: that of `AttributeKeyIndex`.
package final class AttributeDrops: Sendable {
    private let index: AttributeKeyIndex

    /// Nil where there are no names: then nothing has to be looked up.
    package init?(_ keys: some Sequence<String>) {
        let distinct = Set(keys).sorted()
        guard !distinct.isEmpty else { return nil }
        index = AttributeKeyIndex(distinct)
    }

    /// Whether an attribute called `key` is not to be stored.
    package func contains(_ key: ByteSlice) -> Bool { index.find(key) != nil }

    /// How many of `attributes` are to be stored.
    package func keptCount(of attributes: some Collection<KeyValueView>) -> Int {
        attributes.reduce(0) { contains($1.key) ? $0 : $0 + 1 }
    }
}

/// What is not stored of resources, scopes and metric series; nil where everything is.
///
/// Dropped attributes are no part of the content: two resources that differ in nothing else are
/// one.
package struct DimensionDrops: Sendable {
    package var resource: AttributeDrops?
    package var scope: AttributeDrops?
    package var series: AttributeDrops?

    package init(
        resource: AttributeDrops? = nil, scope: AttributeDrops? = nil,
        series: AttributeDrops? = nil
    ) {
        self.resource = resource
        self.scope = scope
        self.series = series
    }
}

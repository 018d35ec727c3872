// SPDX-License-Identifier: Apache-2.0
package import Rows

/// Gives out ids as the dimension tables would: the same hash gets the same id for ever.
package struct FakeDatabase {
    private var ids: [ContentHash: Int64] = [:]
    /// Calls of `upsert`.
    package private(set) var roundCount = 0

    package init() {}

    private mutating func id(_ hash: ContentHash) -> Int64 {
        let id = ids[hash] ?? Int64(ids.count + 1)
        ids[hash] = id
        return id
    }

    private mutating func upsert<Content>(_ list: inout MissingList<Content>) {
        for position in list.positionsSortedByHash {
            let hash = list.entries[position].hash
            list.learn(id: id(hash), hash: hash)
        }
    }

    package mutating func upsert(_ missing: inout MissingDimensions) {
        roundCount += 1
        upsert(&missing.resources)
        upsert(&missing.scopes)
        upsert(&missing.operations)
        upsert(&missing.metrics)
        upsert(&missing.bounds)
        upsert(&missing.series)
    }
}

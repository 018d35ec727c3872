// SPDX-License-Identifier: Apache-2.0

/// Dimensions of one table that a batch needs and whose ids are not known here yet, each hash once.
///
/// Whoever talks to the database looks the hashes up, inserts what is not there, and reports each
/// id with `learn(id:hash:)`. Ownership: contents borrow from the exports of the batch.
package struct MissingList<Content> {
    package struct Entry {
        package let hash: ContentHash
        package let content: Content
        /// 0 until learned.
        package fileprivate(set) var id: Int64 = 0
    }

    /// In the order in which they were met.
    package private(set) var entries: [Entry] = []
    private var positions: [ContentHash: Int] = [:]

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }

    /// Whether every entry has its id.
    package var isResolved: Bool { entries.allSatisfy { $0.id != 0 } }

    /// Positions in `entries` in the order of their hashes: the order in which all daemons must
    /// insert, so that two of them cannot lock each other out.
    package var positionsSortedByHash: [Int] {
        entries.indices.sorted { entries[$0].hash < entries[$1].hash }
    }

    /// Notes the id that the database gave to `hash`; returns false when nobody asked for it.
    @discardableResult
    package mutating func learn(id: Int64, hash: ContentHash) -> Bool {
        precondition(id > 0, "identity columns start at 1")
        guard let position = positions[hash] else { return false }
        entries[position].id = id
        return true
    }

    /// Position of the entry with this hash; added where it is new and there is room for it.
    mutating func add(
        _ content: Content, hash: ContentHash, hasRoom: Bool
    ) throws(ResolveStop) -> Int {
        if let position = positions[hash] { return position }
        guard hasRoom else { throw .missingIsFull }
        positions[hash] = entries.count
        entries.append(Entry(hash: hash, content: content))
        return entries.count - 1
    }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
    }
}

/// A row of `otel_metrics_dim` that is missing, with its second hash.
package struct MissingMetric {
    package let content: MetricContent
    /// The hash without description and metadata.
    package let identityHash: ContentHash
}

/// Everything that must be in the dimension tables before the rows of a batch can be written.
///
/// Thread: stays with the writer that owns the batch.
package struct MissingDimensions {
    package var resources = MissingList<ResourceContent>()
    package var scopes = MissingList<ScopeContent>()
    package var operations = MissingList<OperationContent>()
    package var metrics = MissingList<MissingMetric>()
    package var bounds = MissingList<BoundsContent>()
    package var series = MissingList<SeriesContent>()

    /// How many operations may be inserted: what is left of the dictionary's cap. Operations that
    /// are neither found nor inserted stay without an id, and their names stand on the span rows
    /// instead.
    package internal(set) var operationInsertCountMax = 0
    /// Set by whoever inserted operations: how many were new.
    package var operationInsertedCount = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// Entries of all tables.
    package var count: Int {
        resources.count + scopes.count + operations.count + metrics.count + bounds.count
            + series.count
    }

    /// Whether every entry that must have an id has one. Operations need none.
    package var isResolved: Bool {
        resources.isResolved && scopes.isResolved && metrics.isResolved && bounds.isResolved
            && series.isResolved
    }

    mutating func removeAll() {
        resources.removeAll()
        scopes.removeAll()
        operations.removeAll()
        metrics.removeAll()
        bounds.removeAll()
        series.removeAll()
        operationInsertedCount = 0
    }
}

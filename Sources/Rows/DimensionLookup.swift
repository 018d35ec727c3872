// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// Finds dimensions by their content: in the caches, among what is missing already, or as newly
/// missing.
///
/// Thread: confined to one. Cost per call: one key and one look-up; sorting, a SHA-256 and
/// allocations for what is in neither.
struct DimensionLookup: ~Copyable {
    private let limits: RowLimits
    private var key = CacheKey()
    private var operationKey = CacheKey()
    private var digest = ContentDigest()
    private var resources: DimensionIndex
    private var scopes: DimensionIndex
    private var operations: DimensionIndex
    private var metrics: DimensionIndex
    private var bounds: DimensionIndex
    private var series: DimensionIndex

    /// The service whose operations are being looked up.
    private var serviceName: ByteSlice?
    /// Bytes of `operationKey` that say the service.
    private var servicePrefixCount = 0

    var missing = MissingDimensions()
    /// Attributes of what was looked up that are not stored.
    private(set) var droppedAttributeCount = 0

    init(limits: RowLimits) {
        self.limits = limits
        let missingCountMax = limits.missingCountMax
        func index(_ cache: RowLimits.Cache) -> DimensionIndex {
            DimensionIndex(
                bounds: .init(
                    entryCountMax: cache.entryCountMax, keySizeBytesMax: cache.keySizeBytesMax),
                missingCountMax: missingCountMax)
        }
        resources = index(limits.resources)
        scopes = index(limits.scopes)
        operations = index(limits.operations)
        metrics = index(limits.metrics)
        bounds = index(limits.bounds)
        series = index(limits.series)
    }

    var cachedCount: Int {
        resources.knownCount + scopes.knownCount + operations.knownCount + metrics.knownCount
            + bounds.knownCount + series.knownCount
    }

    var evictedCount: Int {
        resources.evictedCount + scopes.evictedCount + operations.evictedCount
            + metrics.evictedCount
            + bounds.evictedCount + series.evictedCount
    }

    var lookUpCount: Int {
        resources.lookUpCount + scopes.lookUpCount + operations.lookUpCount + metrics.lookUpCount
            + bounds.lookUpCount + series.lookUpCount
    }

    var missCount: Int {
        resources.missCount + scopes.missCount + operations.missCount + metrics.missCount
            + bounds.missCount + series.missCount
    }

    /// Caches what was missing with the ids it has now, and empties it.
    mutating func learn() {
        resources.learn(from: missing.resources)
        scopes.learn(from: missing.scopes)
        operations.learn(from: missing.operations)
        bounds.learn(from: missing.bounds)
        metrics.learn(from: missing.metrics)
        series.learn(from: missing.series)
        missing.removeAll()
    }

    mutating func removeMissing() {
        droppedAttributeCount = 0
        resources.removePending()
        scopes.removePending()
        operations.removePending()
        metrics.removePending()
        bounds.removePending()
        series.removePending()
        missing.removeAll()
    }

    mutating func removeAll() {
        removeMissing()
        resources.removeAll()
        scopes.removeAll()
        operations.removeAll()
        metrics.removeAll()
        bounds.removeAll()
        series.removeAll()
    }

    /// Whether one more may be missing.
    private var hasRoom: Bool { missing.count < limits.missingCountMax }

    private mutating func countDropped(
        _ attributes: WireMessageList<KeyValueView>?, _ drops: AttributeDrops?
    ) {
        guard let drops, let attributes else { return }
        droppedAttributeCount += attributes.count - drops.keptCount(of: attributes)
    }
}

// One look-up per kind of dimension.
extension DimensionLookup {
    mutating func ref(_ content: ResourceContent) throws(ResolveStop) -> DimensionRef {
        countDropped(content.view?.attributes, content.drops)
        key.removeAll()
        CanonicalForm(order: .wire).append(content, to: &key)
        if let ref = resources.find(key) { return ref }
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.resources.add(content, hash: hash, hasRoom: hasRoom)
        resources.remember(key, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }

    mutating func ref(_ content: ScopeContent) throws(ResolveStop) -> DimensionRef {
        guard !content.isAbsent else { return .none }
        countDropped(content.view?.attributes, content.drops)
        key.removeAll()
        CanonicalForm(order: .wire).append(content, to: &key)
        if let ref = scopes.find(key) { return ref }
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.scopes.add(content, hash: hash, hasRoom: hasRoom)
        scopes.remember(key, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }

    /// Says whose operations come next.
    mutating func beginService(_ name: ByteSlice?) {
        serviceName = name
        operationKey.removeAll()
        operationKey.append(name == nil ? 0 : 1 as UInt8)
        operationKey.appendCounted(name ?? .empty)
        servicePrefixCount = operationKey.count
    }

    /// An operation of the service that was begun; none where name and kind belong on the row.
    mutating func ref(
        operationName name: ByteSlice, kind: Int32
    ) throws(ResolveStop) -> DimensionRef {
        guard name.count <= limits.operationNameSizeBytesMax, !operationKey.isTooLong else {
            return .none
        }
        operationKey.truncate(count: servicePrefixCount)
        operationKey.append(UInt32(bitPattern: kind))
        operationKey.append(name)
        guard !operationKey.isTooLong else { return .none }
        if let ref = operations.find(operationKey) { return ref }
        let content = OperationContent(serviceName: serviceName, name: name, kind: kind)
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.operations.add(content, hash: hash, hasRoom: hasRoom)
        operations.remember(operationKey, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }

    mutating func ref(_ content: MetricContent) throws(ResolveStop) -> DimensionRef {
        key.removeAll()
        CanonicalForm(order: .wire).append(content, to: &key)
        if let ref = metrics.find(key) { return ref }
        digest.begin()
        CanonicalForm(order: .sorted).appendIdentity(content, to: &digest)
        let identityHash = digest.finish()
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.metrics.add(
            MissingMetric(content: content, identityHash: identityHash), hash: hash,
            hasRoom: hasRoom)
        metrics.remember(key, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }

    mutating func ref(_ content: BoundsContent) throws(ResolveStop) -> DimensionRef {
        guard !content.explicitBounds.isEmpty else { return .none }
        key.removeAll()
        CanonicalForm(order: .wire).append(content, to: &key)
        if let ref = bounds.find(key) { return ref }
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.bounds.add(content, hash: hash, hasRoom: hasRoom)
        bounds.remember(key, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }

    mutating func ref(_ content: SeriesContent) throws(ResolveStop) -> DimensionRef {
        countDropped(content.attributes, content.drops)
        key.removeAll()
        CanonicalForm(order: .wire).append(content, to: &key)
        if let ref = series.find(key) { return ref }
        digest.begin()
        CanonicalForm(order: .sorted).append(content, to: &digest)
        let hash = digest.finish()
        let hasRoom = hasRoom
        let position = try missing.series.add(content, hash: hash, hasRoom: hasRoom)
        series.remember(key, missingPosition: position)
        return DimensionRef(missingPosition: position)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Rows

struct ResourceRows: DimensionRows {
    static let table = "otel_resources_dim"
    static let idColumn = "resource_id"
    static let hashColumn = "resource_hash"
    static let attributePrefix: String? = "otel_resource_attrs"
    static let columnsAndSource = """
        (resource_hash, service_name, service_namespace, schema_url, dropped_attributes_count,
            entity_refs)
        SELECT hash, service, namespace, url, dropped, refs::jsonb
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::int4[], $6::text[])
            AS new (hash, service, namespace, url, dropped, refs)
        """

    private var hashes = ArrayParameter(.bytea)
    private var serviceNames = ArrayParameter(.text)
    private var serviceNamespaces = ArrayParameter(.text)
    private var schemaURLs = ArrayParameter(.text)
    private var droppedCounts = ArrayParameter(.int4)
    private var entityRefs = ArrayParameter(.text)

    mutating func append(_ entry: MissingList<ResourceContent>.Entry) throws(DatabaseError) {
        let content = entry.content
        hashes.append(entry.hash.bytes)
        serviceNames.append(content.serviceName)
        serviceNamespaces.append(content.serviceNamespace)
        schemaURLs.append(content.schemaURL.nonEmpty)
        droppedCounts.append(content.droppedAttributesCount.bitPatternOrNil)
        var refs: [UInt8]?
        if let list = content.view?.entityRefs, !list.isEmpty {
            refs = try jsonText { $0.appendJSON(entityRefs: list) }
        }
        entityRefs.append(refs)
    }

    var columns: [ArrayParameter] {
        [hashes, serviceNames, serviceNamespaces, schemaURLs, droppedCounts, entityRefs]
    }

    static func attributes(of content: ResourceContent) -> EffectiveAttributes? {
        content.attributes
    }
}

struct ScopeRows: DimensionRows {
    static let table = "otel_scopes_dim"
    static let idColumn = "scope_id"
    static let hashColumn = "scope_hash"
    static let attributePrefix: String? = "otel_scope_attrs"
    static let columnsAndSource = """
        (scope_hash, name, version, schema_url, dropped_attributes_count)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::int4[])
        """

    private var hashes = ArrayParameter(.bytea)
    private var names = ArrayParameter(.text)
    private var versions = ArrayParameter(.text)
    private var schemaURLs = ArrayParameter(.text)
    private var droppedCounts = ArrayParameter(.int4)

    mutating func append(_ entry: MissingList<ScopeContent>.Entry) {
        hashes.append(entry.hash.bytes)
        names.append(entry.content.name)
        versions.append(entry.content.version.nonEmpty)
        schemaURLs.append(entry.content.schemaURL.nonEmpty)
        droppedCounts.append(entry.content.droppedAttributesCount.bitPatternOrNil)
    }

    var columns: [ArrayParameter] {
        [hashes, names, versions, schemaURLs, droppedCounts]
    }

    static func attributes(of content: ScopeContent) -> EffectiveAttributes? { content.attributes }
}

struct OperationRows: DimensionRows {
    static let table = "otel_operations_dim"
    static let idColumn = "operation_id"
    static let hashColumn = "operation_hash"
    static let columnsAndSource = """
        (operation_hash, service_name, name, kind_id)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::int4[])
        """

    private var hashes = ArrayParameter(.bytea)
    private var serviceNames = ArrayParameter(.text)
    private var names = ArrayParameter(.text)
    private var kinds = ArrayParameter(.int4)

    mutating func append(_ entry: MissingList<OperationContent>.Entry) {
        hashes.append(entry.hash.bytes)
        serviceNames.append(entry.content.serviceName)
        names.append(entry.content.name)
        kinds.append(entry.content.kind)
    }

    var columns: [ArrayParameter] {
        [hashes, serviceNames, names, kinds]
    }
}

struct MetricRows: DimensionRows {
    static let table = "otel_metrics_dim"
    static let idColumn = "metric_id"
    static let hashColumn = "metric_hash"
    static let columnsAndSource = """
        (metric_hash, metric_identity_hash, name, metric_type_id, unit, aggregation_temporality_id,
            is_monotonic, description, schema_url, metadata)
        SELECT hash, identity, name, type, unit, temporality, monotonic, description, url,
            metadata::jsonb
        FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::int2[], $5::text[], $6::int4[],
            $7::bool[], $8::text[], $9::text[], $10::text[])
            AS new (hash, identity, name, type, unit, temporality, monotonic, description, url,
                metadata)
        """

    private var hashes = ArrayParameter(.bytea)
    private var identityHashes = ArrayParameter(.bytea)
    private var names = ArrayParameter(.text)
    private var types = ArrayParameter(.int2)
    private var units = ArrayParameter(.text)
    private var temporalities = ArrayParameter(.int4)
    private var areMonotonic = ArrayParameter(.bool)
    private var descriptions = ArrayParameter(.text)
    private var schemaURLs = ArrayParameter(.text)
    private var metadata = ArrayParameter(.text)

    mutating func append(_ entry: MissingList<MissingMetric>.Entry) throws(DatabaseError) {
        let content = entry.content.content
        hashes.append(entry.hash.bytes)
        identityHashes.append(entry.content.identityHash.bytes)
        names.append(content.name)
        types.append(content.typeID)
        units.append(content.unit.nonEmpty)
        temporalities.append(content.temporality)
        areMonotonic.append(content.isMonotonic)
        descriptions.append(content.description.nonEmpty)
        schemaURLs.append(content.schemaURL.nonEmpty)
        var text: [UInt8]?
        if !content.metadata.isEmpty {
            text = try jsonText { $0.appendJSON(attributes: content.metadata) }
        }
        metadata.append(text)
    }

    var columns: [ArrayParameter] {
        [
            hashes, identityHashes, names, types, units, temporalities, areMonotonic, descriptions,
            schemaURLs, metadata,
        ]
    }
}

struct BoundsRows: DimensionRows {
    static let table = "otel_histogram_bounds_dim"
    static let idColumn = "bounds_id"
    static let hashColumn = "bounds_hash"
    /// All bounds in one array, and how many of them belong to each row: arrays of arrays have to
    /// be rectangular.
    static let columnsAndSource = """
        (bounds_hash, explicit_bounds)
        SELECT hash, ($4::float8[])[start:stop]
        FROM unnest($1::bytea[], $2::int4[], $3::int4[]) AS new (hash, start, stop)
        """

    private var hashes = ArrayParameter(.bytea)
    private var starts = ArrayParameter(.int4)
    private var stops = ArrayParameter(.int4)
    private var bounds = ArrayParameter(.float8)

    mutating func append(_ entry: MissingList<BoundsContent>.Entry) {
        hashes.append(entry.hash.bytes)
        starts.append(Int32(bounds.count + 1))
        for bound in entry.content.explicitBounds { bounds.append(bound) }
        stops.append(Int32(bounds.count))
    }

    var columns: [ArrayParameter] {
        [hashes, starts, stops, bounds]
    }
}

struct SeriesRows: DimensionRows {
    static let table = "otel_metric_series_dim"
    static let idColumn = "series_id"
    static let hashColumn = "series_hash"
    static let idType = ParameterType.int8
    static let attributePrefix: String? = "otel_metric_series_attrs"
    static let columnsAndSource = """
        (series_hash, metric_id, resource_id, scope_id)
        SELECT * FROM unnest($1::bytea[], $2::int4[], $3::int4[], $4::int4[])
        """

    private var hashes = ArrayParameter(.bytea)
    private var metricIDs = ArrayParameter(.int4)
    private var resourceIDs = ArrayParameter(.int4)
    private var scopeIDs = ArrayParameter(.int4)

    mutating func append(_ entry: MissingList<SeriesContent>.Entry) {
        hashes.append(entry.hash.bytes)
        // Identity columns of type integer: what was read from them fits into them.
        metricIDs.append(Int32(entry.content.metricID))
        resourceIDs.append(Int32(entry.content.resourceID))
        scopeIDs.append(entry.content.scopeID.map { Int32($0) })
    }

    var columns: [ArrayParameter] {
        [hashes, metricIDs, resourceIDs, scopeIDs]
    }

    static func attributes(of content: SeriesContent) -> EffectiveAttributes? {
        content.effectiveAttributes
    }
}

extension ByteSlice {
    /// Nil, meaning NULL, where empty.
    fileprivate var nonEmpty: ByteSlice? { isEmpty ? nil : self }
}

extension UInt32 {
    /// Nil, meaning NULL, where 0.
    fileprivate var bitPatternOrNil: Int32? { self == 0 ? nil : Int32(bitPattern: self) }
}

/// JSON text made by the encoder of the COPY path, so that there is one form of each value.
func jsonText(
    _ write: (inout CopyBuffer) -> Bool
) throws(DatabaseError) -> [UInt8] {
    var buffer = CopyBuffer(budget: MemoryBudget(limitBytes: DimensionLimits.jsonSizeBytesMax))
    guard write(&buffer) else {
        throw DatabaseError(
            .contentTooLarge, .rejectedContent, message: "a dimension is too large to store")
    }
    return unsafe Array(buffer.bytes.buffer)
}

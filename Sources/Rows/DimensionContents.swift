// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

// What a dimension row says, as it came with an export. All of them borrow from the arena of the
// export they were found in, which lives as long as the batch does; none may be kept after it.

/// A row of `otel_resources_dim` and its attributes. An absent resource is an empty one.
package struct ResourceContent {
    package let view: ResourceView?
    /// Schema URL of the envelope; empty means NULL.
    package let schemaURL: ByteSlice
    /// Attributes that are no part of it.
    let drops: AttributeDrops?

    package init(view: ResourceView?, schemaURL: ByteSlice, without drops: AttributeDrops? = nil) {
        self.view = view
        self.schemaURL = schemaURL
        self.drops = drops
    }

    /// Attribute `service.name` where it is a string.
    package var serviceName: ByteSlice? { string(key: "service.name") }

    /// Attribute `service.namespace` where it is a string.
    package var serviceNamespace: ByteSlice? { string(key: "service.namespace") }

    private func string(key: StaticString) -> ByteSlice? {
        guard let found = view?.attributes.last(key: key) else { return nil }
        if let drops, drops.contains(found.key) { return nil }
        guard case .string(let text)? = found.value?.kind else { return nil }
        return text
    }

    /// uint32; 0 means NULL.
    package var droppedAttributesCount: UInt32 { view?.droppedAttributesCount ?? 0 }

    /// What goes into the attribute tables. Allocates.
    package var attributes: EffectiveAttributes? {
        view.map { EffectiveAttributes($0.attributes, without: drops) }
    }
}

/// A row of `otel_scopes_dim` and its attributes.
package struct ScopeContent {
    package let view: ScopeView?
    /// Schema URL of the envelope; empty means NULL.
    package let schemaURL: ByteSlice

    /// Attributes that are no part of it.
    let drops: AttributeDrops?

    package init(view: ScopeView?, schemaURL: ByteSlice, without drops: AttributeDrops? = nil) {
        self.view = view
        self.schemaURL = schemaURL
        self.drops = drops
    }

    /// Without a scope and without a schema URL there is nothing to store: then `scope_id` is NULL.
    var isAbsent: Bool { view == nil && schemaURL.isEmpty }

    package var name: ByteSlice { view?.name ?? .empty }

    /// Empty means NULL.
    package var version: ByteSlice { view?.version ?? .empty }

    /// uint32; 0 means NULL.
    package var droppedAttributesCount: UInt32 { view?.droppedAttributesCount ?? 0 }

    /// What goes into the attribute tables. Allocates.
    package var attributes: EffectiveAttributes? {
        view.map { EffectiveAttributes($0.attributes, without: drops) }
    }
}

/// A row of `otel_operations_dim`.
package struct OperationContent {
    /// Attribute `service.name` of the resource where it is a string; nil means NULL.
    package let serviceName: ByteSlice?
    package let name: ByteSlice
    package let kind: Int32
}

/// A row of `otel_metrics_dim`.
package struct MetricContent {
    package let view: MetricView
    /// Schema URL of the envelope of the scope; empty means NULL.
    package let schemaURL: ByteSlice
    /// Field number in the `data` oneof, as in the table `metric_types`.
    package let typeID: Int16
    /// Nil, meaning NULL, for kinds that have none: gauge and summary.
    package let temporality: Int32?
    /// Nil, meaning NULL, for all but sums.
    package let isMonotonic: Bool?

    /// Nil where the metric holds no data at all.
    init?(view: MetricView, schemaURL: ByteSlice) {
        self.view = view
        self.schemaURL = schemaURL
        switch view.data {
        case .none:
            return nil
        case .gauge:
            (typeID, temporality, isMonotonic) = (5, nil, nil)
        case .sum(_, let temporality, let isMonotonic):
            (typeID, self.temporality, self.isMonotonic) = (7, temporality, isMonotonic)
        case .histogram(_, let temporality):
            (typeID, self.temporality, isMonotonic) = (9, temporality, nil)
        case .exponentialHistogram(_, let temporality):
            (typeID, self.temporality, isMonotonic) = (10, temporality, nil)
        case .summary:
            (typeID, temporality, isMonotonic) = (11, nil, nil)
        }
    }

    package var name: ByteSlice { view.name }
    /// Empty means NULL.
    package var unit: ByteSlice { view.unit }
    /// Empty means NULL.
    package var description: ByteSlice { view.description }
    /// Empty means NULL.
    package var metadata: WireMessageList<KeyValueView> { view.metadata }
}

/// A row of `otel_histogram_bounds_dim`.
package struct BoundsContent {
    package let explicitBounds: ScalarList<Double>
}

/// A row of `otel_metric_series_dim` and its attributes.
package struct SeriesContent {
    package let metricID: Int64
    package let resourceID: Int64
    /// Nil means NULL.
    package let scopeID: Int64?
    package let attributes: WireMessageList<KeyValueView>
    /// Attributes that are no part of it.
    let drops: AttributeDrops?

    /// What goes into the attribute tables. Allocates.
    package var effectiveAttributes: EffectiveAttributes {
        EffectiveAttributes(attributes, without: drops)
    }
}

extension WireMessageList where Element == KeyValueView {
    /// The last attribute with this key.
    fileprivate func last(key: StaticString) -> KeyValueView? {
        var found: KeyValueView?
        for attribute in self where attribute.key.hasSameBytes(as: key) { found = attribute }
        return found
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// The bytes over which dimensions are hashed. Several daemons write into one database and must
/// agree on them, so this layout is part of the stored format: changing it means a new version in
/// the tags.
///
///     counted(b)  = u32 length, then the bytes b
///     list(x)     = u32 count, then each x
///     value       = u8 tag, then by tag (the field numbers of AnyValue):
///                   0 empty or absent: nothing     1 string, 7 bytes: counted
///                   2 bool: u8 0 or 1              3 int: u64 two's complement
///                   4 double: u64 IEEE 754 bits    5 array: list(value)     6 pairs: attributes
///     attributes  = list(counted(key) value), by key bytes; of equal keys only the last sent,
///                   without those that the configuration drops
///     resource    = counted("resource/1") counted(schema_url) u32 dropped_attributes_count
///                   attributes list(entity)
///     entity      = counted(schema_url) counted(type) list(counted(id key))
///                   list(counted(description key))
///     scope       = counted("scope/1") counted(schema_url) counted(name) counted(version)
///                   u32 dropped_attributes_count attributes
///     operation   = counted("operation/1") u8 has_service counted(service) u32 kind counted(name)
///     metric      = counted("metric/1") counted(schema_url) counted(name) u8 type counted(unit)
///                   u32 temporality u8 is_monotonic; this far the identity, and after it
///                   counted(description) attributes(metadata)
///     bounds      = counted("bounds/1") list(u64 IEEE 754 bits)
///     series      = counted("series/1") u64 metric_id u64 resource_id u64 scope_id (0: none)
///                   attributes
///
/// All integers are big-endian. Every part is counted or of fixed size, so two contents never have
/// the same bytes by running into one another. Series name their dimensions by id: those are unique
/// within the database, which is as far as a series reaches.
///
/// Keys of the caches have the same form with attributes as they were sent, which costs no sorting.
struct CanonicalForm {
    enum AttributeOrder {
        /// By key, without duplicates: for hashes. Allocates.
        case sorted
        /// As sent: for cache keys.
        case wire
    }

    /// Tags of values: the field numbers of AnyValue.
    private enum Tag {
        static let none: UInt8 = 0
        static let string: UInt8 = 1
        static let bool: UInt8 = 2
        static let int: UInt8 = 3
        static let double: UInt8 = 4
        static let array: UInt8 = 5
        static let kvlist: UInt8 = 6
        static let bytes: UInt8 = 7
    }

    let order: AttributeOrder

    /// `drops` are left out of the list, not of what its values hold.
    func append(
        _ attributes: some Collection<KeyValueView>, without drops: AttributeDrops? = nil,
        to sink: inout some ByteSink & ~Copyable
    ) {
        switch order {
        case .wire:
            guard let drops else {
                sink.append(UInt32(attributes.count))
                for attribute in attributes { append(attribute, to: &sink) }
                return
            }
            sink.append(UInt32(drops.keptCount(of: attributes)))
            for attribute in attributes where !drops.contains(attribute.key) {
                append(attribute, to: &sink)
            }
        case .sorted:
            let effective = EffectiveAttributes(attributes, without: drops)
            sink.append(UInt32(effective.members.count))
            for attribute in effective.members { append(attribute, to: &sink) }
        }
    }

    private func append(_ attribute: KeyValueView, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted(attribute.key)
        append(attribute.value, to: &sink)
    }

    private func append(_ value: AnyValueView?, to sink: inout some ByteSink & ~Copyable) {
        guard let value else { return sink.append(Tag.none) }
        switch value.kind {
        case .none:
            sink.append(Tag.none)
        case .string(let text):
            sink.append(Tag.string)
            sink.appendCounted(text)
        case .bool(let flag):
            sink.append(Tag.bool)
            sink.append(flag ? 1 : 0 as UInt8)
        case .int(let number):
            sink.append(Tag.int)
            sink.append(UInt64(bitPattern: number))
        case .double(let number):
            sink.append(Tag.double)
            sink.append(number.bitPattern)
        case .array(let members):
            sink.append(Tag.array)
            sink.append(UInt32(members.count))
            for member in members { append(member, to: &sink) }
        case .kvlist(let members):
            sink.append(Tag.kvlist)
            append(members, to: &sink)
        case .bytes(let bytes):
            sink.append(Tag.bytes)
            sink.appendCounted(bytes)
        }
    }
}

// The owners of attributes.
extension CanonicalForm {
    func append(_ resource: ResourceContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("resource/1")
        sink.appendCounted(resource.schemaURL)
        guard let view = resource.view else {
            // As a resource that is present and empty.
            sink.append(0 as UInt32)
            sink.append(0 as UInt32)
            return sink.append(0 as UInt32)
        }
        sink.append(view.droppedAttributesCount)
        append(view.attributes, without: resource.drops, to: &sink)
        sink.append(UInt32(view.entityRefs.count))
        for entity in view.entityRefs {
            sink.appendCounted(entity.schemaURL)
            sink.appendCounted(entity.type)
            sink.append(UInt32(entity.idKeys.count))
            for key in entity.idKeys { sink.appendCounted(key) }
            sink.append(UInt32(entity.descriptionKeys.count))
            for key in entity.descriptionKeys { sink.appendCounted(key) }
        }
    }

    func append(_ scope: ScopeContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("scope/1")
        sink.appendCounted(scope.schemaURL)
        guard let view = scope.view else {
            // As a scope that is present and empty.
            sink.append(0 as UInt32)
            sink.append(0 as UInt32)
            sink.append(0 as UInt32)
            return sink.append(0 as UInt32)
        }
        sink.appendCounted(view.name)
        sink.appendCounted(view.version)
        sink.append(view.droppedAttributesCount)
        append(view.attributes, without: scope.drops, to: &sink)
    }

    func append(_ operation: OperationContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("operation/1")
        sink.append(operation.serviceName == nil ? 0 : 1 as UInt8)
        sink.appendCounted(operation.serviceName ?? .empty)
        sink.append(UInt32(bitPattern: operation.kind))
        sink.appendCounted(operation.name)
    }

    func appendIdentity(_ metric: MetricContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("metric/1")
        sink.appendCounted(metric.schemaURL)
        sink.appendCounted(metric.view.name)
        sink.append(UInt8(metric.typeID))
        sink.appendCounted(metric.view.unit)
        sink.append(UInt32(bitPattern: metric.temporality ?? 0))
        sink.append(metric.isMonotonic == true ? 1 : 0 as UInt8)
    }

    func append(_ metric: MetricContent, to sink: inout some ByteSink & ~Copyable) {
        appendIdentity(metric, to: &sink)
        sink.appendCounted(metric.view.description)
        append(metric.view.metadata, to: &sink)
    }

    func append(_ bounds: BoundsContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("bounds/1")
        sink.append(UInt32(bounds.explicitBounds.count))
        for bound in bounds.explicitBounds { sink.append(bound.bitPattern) }
    }

    func append(_ series: SeriesContent, to sink: inout some ByteSink & ~Copyable) {
        sink.appendCounted("series/1")
        sink.append(UInt64(series.metricID))
        sink.append(UInt64(series.resourceID))
        sink.append(UInt64(series.scopeID ?? 0))
        append(series.attributes, without: series.drops, to: &sink)
    }
}

extension ByteSink where Self: ~Copyable {
    /// A length and then the ASCII bytes of a literal.
    fileprivate mutating func appendCounted(_ literal: StaticString) {
        unsafe appendCounted(
            ByteSlice(base: UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount))
    }
}

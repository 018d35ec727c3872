// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// A string attribute that every resource of an export is to have.
package struct ResourceStamp: Sendable {
    /// A `KeyValue` on the wire: the key, and an `AnyValue` that holds the string.
    let wire: [UInt8]

    package init(key: String, value: [UInt8]) {
        let text = ResourceStamp.field(PairTag.stringValue, value)
        wire =
            ResourceStamp.field(PairTag.key, Array(key.utf8))
            + ResourceStamp.field(PairTag.value, text)
    }

    /// A length-delimited field.
    private static func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var field = [tag]
        var length = content.count
        while length >= 0x80 {
            field.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        field.append(UInt8(length))
        return field + content
    }

    /// What the attribute adds to each resource, at most, when the export is unpacked again.
    fileprivate var restoredSizeBytes: Int {
        unsafe MemoryLayout<Otlp__Resource>.stride + UnpackModel.repeatedBytesElementSizeBytes
            + wire.count + 4 * 16
    }
}

extension Export {
    /// Gives every resource the attribute, in the place of any that the client sent by that key.
    ///
    /// The messages in the arena are changed, so that whatever is made of the export says the same:
    /// rows, hashes, ledgers, dead letters, the spool. Nothing of the body is copied; each resource
    /// gets a new list of pointers, and all share one attribute, charged to the budget with the
    /// export. Cost: one look at each key of each resource, none at items.
    /// Errors: `.refused` where the export could not be unpacked again within `limits`, as the
    /// spool does; `.overBudget`. The export is unchanged then.
    package mutating func stamp(
        _ stamp: ResourceStamp, limits: DecodeLimits
    ) throws(DecodeError) {
        precondition(stampMemory == nil, "stamped twice")
        var listSizeBytes = 0
        var resourceCount = 0
        unsafe forEachResource { resource in
            resourceCount += 1
            guard let resource = unsafe resource else { return }
            listSizeBytes += unsafe StampMemory.listSizeBytes(resource.pointee.n_attributes + 1)
        }
        guard resourceCount > 0 else { return }
        let leftBytes = limits.unpackedSizeBytesMax - arenaSizeBytes
        guard resourceCount <= max(0, leftBytes) / stamp.restoredSizeBytes else {
            throw .refused(
                Refusal(.tooLarge, "the request has too many resources to put a tenant on each"))
        }
        guard let memory = StampMemory(stamp, listSizeBytes: listSizeBytes, budget: budget) else {
            throw .overBudget
        }
        unsafe forEachResource { resource in unsafe memory.put(on: &resource) }
        stampMemory = memory
    }

    /// Shows the place of the resource of each group.
    private func forEachResource(
        _ body: (inout UnsafeMutablePointer<Otlp__Resource>?) -> Void
    ) {
        let root = unsafe UnsafeMutableRawPointer(mutating: root)
        switch signal {
        case .traces:
            let request = unsafe root.assumingMemoryBound(to: Otlp__ExportTraceServiceRequest.self)
            for index in unsafe 0..<request.pointee.n_resource_spans {
                unsafe body(&request.pointee.resource_spans[index]!.pointee.resource)
            }
        case .logs:
            let request = unsafe root.assumingMemoryBound(to: Otlp__ExportLogsServiceRequest.self)
            for index in unsafe 0..<request.pointee.n_resource_logs {
                unsafe body(&request.pointee.resource_logs[index]!.pointee.resource)
            }
        case .metrics:
            let request = unsafe root.assumingMemoryBound(
                to: Otlp__ExportMetricsServiceRequest.self)
            for index in unsafe 0..<request.pointee.n_resource_metrics {
                unsafe body(&request.pointee.resource_metrics[index]!.pointee.resource)
            }
        }
    }
}

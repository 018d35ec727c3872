// SPDX-License-Identifier: Apache-2.0
internal import Decode

/// The items of one resource of an export.
struct ResourceShare {
    let tenant: String
    let ordinals: Range<Int>

    /// Hands over the shares of an export in order. Cost: one look at the attributes of each
    /// resource, none at items.
    static func forEach(
        of export: borrowing Export, tenantAttribute: String, _ body: (ResourceShare) -> Void
    ) {
        var start = 0
        func share(_ resource: ResourceView?, _ itemCount: Int) {
            guard itemCount > 0 else { return }
            body(
                ResourceShare(
                    tenant: TenantName.of(resource, attribute: tenantAttribute),
                    ordinals: start..<start + itemCount))
            start += itemCount
        }
        for group in export.resourceSpans {
            share(group.resource, group.scopeSpans.reduce(0) { $0 + $1.spans.count })
        }
        for group in export.resourceLogs {
            share(group.resource, group.scopeLogs.reduce(0) { $0 + $1.logRecords.count })
        }
        for group in export.resourceMetrics {
            share(
                group.resource,
                group.scopeMetrics.reduce(0) { $0 + $1.metrics.reduce(0) { $0 + $1.pointCount } })
        }
    }
}

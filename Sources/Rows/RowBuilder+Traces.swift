// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

// Spans: resources, scopes and operations, then rows.
extension RowBuilder {
    mutating func resolveTraces(
        _ export: borrowing Export, start: BatchRefs.Start
    ) throws(ResolveStop) {
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceSpans in export.resourceSpans {
            let resource = ResourceContent(
                view: resourceSpans.resource, schemaURL: resourceSpans.schemaURL,
                without: drops.resource)
            let isResourceFaulty = faults.isResourceFaulty(export, ordinals.resource)
            try resolve(
                resource, isFaulty: isResourceFaulty, index: start.resource + ordinals.resource)
            ordinals.resource += 1
            lookup.beginService(resource.serviceName)
            for scopeSpans in resourceSpans.scopeSpans {
                let scope = ScopeContent(
                    view: scopeSpans.scope, schemaURL: scopeSpans.schemaURL, without: drops.scope)
                let isScopeFaulty = isResourceFaulty || faults.isScopeFaulty(export, ordinals.scope)
                try resolve(scope, isFaulty: isScopeFaulty, index: start.scope + ordinals.scope)
                ordinals.scope += 1
                let spans = scopeSpans.spans
                for position in spans.indices {
                    spans.fetchNames(behind: position)
                    let span = spans[position]
                    if start.operation + ordinals.item >= refs.operations.count {
                        let isFaulty = isScopeFaulty || faults.isItemFaulty(export, ordinals.item)
                        try refs.operations.append(
                            isFaulty ? .none : lookup.ref(operationName: span.name, kind: span.kind)
                        )
                    }
                    ordinals.item += 1
                }
            }
        }
    }

    /// Returns false when the sink is full.
    mutating func emitSpans(
        of export: borrowing Export, at exportIndex: Int, context: EmissionContext,
        into sink: inout some RowSink & ~Copyable, tally: inout RowTally
    ) -> Bool {
        let start = refs.start(exportIndex: exportIndex)
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceSpans in export.resourceSpans {
            let resourceFault = faults.resourceFault(export, ordinals.resource)
            let resourceID = refs.resources[start.resource + ordinals.resource].id32
            ordinals.resource += 1
            for scopeSpans in resourceSpans.scopeSpans {
                let scopeFault = resourceFault ?? faults.scopeFault(export, ordinals.scope)
                let scopeID = refs.scopes[start.scope + ordinals.scope].id32
                ordinals.scope += 1
                let spans = scopeSpans.spans
                for position in spans.indices {
                    spans.fetch(behind: position)
                    let span = spans[position]
                    let ordinal = ordinals.item
                    ordinals.item += 1
                    if let fault = scopeFault ?? faults.itemFault(export, ordinal) {
                        tally.reject(fault, itemOrdinal: ordinal)
                        continue
                    }
                    do throws(RowFault) {
                        let row = try SpanRow.make(
                            span, resourceID: requireID(resourceID), scopeID: scopeID,
                            operationID: refs.operations[start.operation + ordinal].id32,
                            window: context.window)
                        guard sink.append(row, itemOrdinal: ordinal) else { return false }
                        tally.accept()
                    } catch {
                        tally.reject(error.fault, itemOrdinal: ordinal)
                    }
                }
            }
        }
        return true
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

// Log records: resources and scopes, then rows.
extension RowBuilder {
    mutating func resolveLogs(
        _ export: borrowing Export, start: BatchRefs.Start
    ) throws(ResolveStop) {
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceLogs in export.resourceLogs {
            let resource = ResourceContent(
                view: resourceLogs.resource, schemaURL: resourceLogs.schemaURL,
                without: drops.resource)
            let isResourceFaulty = faults.isResourceFaulty(export, ordinals.resource)
            try resolve(
                resource, isFaulty: isResourceFaulty, index: start.resource + ordinals.resource)
            ordinals.resource += 1
            for scopeLogs in resourceLogs.scopeLogs {
                let scope = ScopeContent(
                    view: scopeLogs.scope, schemaURL: scopeLogs.schemaURL, without: drops.scope)
                let isScopeFaulty = isResourceFaulty || faults.isScopeFaulty(export, ordinals.scope)
                try resolve(scope, isFaulty: isScopeFaulty, index: start.scope + ordinals.scope)
                ordinals.scope += 1
            }
        }
    }

    /// Returns false when the sink is full.
    mutating func emitLogs(
        of export: borrowing Export, at exportIndex: Int, context: EmissionContext,
        into sink: inout some RowSink & ~Copyable, tally: inout RowTally
    ) -> Bool {
        let start = refs.start(exportIndex: exportIndex)
        let faults = FaultQuery(export)
        var ordinals = Ordinals()
        for resourceLogs in export.resourceLogs {
            let resourceFault = faults.resourceFault(export, ordinals.resource)
            let resourceID = refs.resources[start.resource + ordinals.resource].id32
            ordinals.resource += 1
            for scopeLogs in resourceLogs.scopeLogs {
                let scopeFault = resourceFault ?? faults.scopeFault(export, ordinals.scope)
                let scopeID = refs.scopes[start.scope + ordinals.scope].id32
                ordinals.scope += 1
                let records = scopeLogs.logRecords
                for position in records.indices {
                    records.fetch(behind: position)
                    let record = records[position]
                    let ordinal = ordinals.item
                    ordinals.item += 1
                    if let fault = scopeFault ?? faults.itemFault(export, ordinal) {
                        tally.reject(fault, itemOrdinal: ordinal)
                        continue
                    }
                    do throws(RowFault) {
                        let times = try LogRow.Times(
                            record, arrivalUnixNs: context.arrivalUnixNs, window: context.window)
                        let row = LogRow(
                            record, times: times, logID: logIDs.next(),
                            resourceID: requireID(resourceID),
                            scopeID: scopeID)
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

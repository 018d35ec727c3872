// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Postgres
internal import Ring
internal import Rows

// A batch of dead letters that are tried again: each export is one. In the transaction that stores
// the item, the letter goes; so whatever ends the attempt, the item stands in one place.
extension Transaction {
    /// Takes the letters for this transaction; returns those that somebody else has, or had.
    func lockReplayed(
        _ fingerprints: [Fingerprint], on connection: inout PGConnection
    ) throws(DatabaseError) -> Set<Fingerprint> {
        let ids = fingerprints.compactMap { replayedIDs?[$0] }
        let locked = try connection.lockDeadLetters(ids, deadlineNs: deadlineNs)
        return Set(fingerprints.filter { !locked.contains(replayedIDs?[$0] ?? 0) })
    }

    /// Deletes the letters whose items are stored, and counts the attempt on the others.
    mutating func settleReplayed(
        _ batch: borrowing ExportBatch, _ fingerprints: [Fingerprint],
        on connection: inout PGConnection
    ) throws(Stop) {
        deadSummaries.removeAll(keepingCapacity: true)
        refused.sortItems()
        var storedIDs: [Int64] = []
        var failedIDs: [Int64] = []
        for (index, fingerprint) in fingerprints.enumerated() {
            let id = replayedIDs?[fingerprint] ?? 0
            let tally = tallies[index]
            let refusedItems = refused.items(ofExport: index)
            guard tally.rejectedItemCount + refusedItems.count > 0 else {
                storedIDs.append(id)
                var counts = LossCounts()
                counts.replayed = 1
                let lossKey = batch.withExport(index) { pending in
                    var tenant = ""
                    ResourceShare.forEach(
                        of: pending.export, tenantAttribute: shared.settings.tenantAttribute
                    ) { tenant = $0.tenant }
                    return key(tenant, pending.export.signal, pending.arrivalUnixNs)
                }
                losses.add(lossKey, counts)
                continue
            }
            failedIDs.append(id)
            var summary = DeadSummary(exportIndex: index)
            summary.itemCount = tally.rejectedItemCount + refusedItems.count
            summary.firstIDs = [id]
            summary.firstReason =
                tally.firstFault?.description
                ?? refusedItems.first.map { refused.causes[$0.causeIndex].message } ?? ""
            deadSummaries.append(summary)
        }
        do throws(DatabaseError) {
            try connection.settleDeadLetters(
                storedIDs: storedIDs, failedIDs: failedIDs, deadlineNs: deadlineNs)
        } catch { throw .database(error.asOurs) }
    }
}

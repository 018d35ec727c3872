// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Logging
internal import Postgres
internal import Ring

// The part of a transaction that goes into the loss ledger. Each number has a source of its own, so
// that the balance says something: received is what the decoder counted, committed the rows that
// are sent (and afterwards, what COPY reported), dead_lettered the letters that are written.
extension Transaction {
    /// Counts what was received and which rows are sent, for each tenant.
    mutating func countLosses(_ batch: borrowing ExportBatch) {
        losses.removeAll()
        guard replayedIDs == nil else { return }
        let tenantAttribute = shared.settings.tenantAttribute
        for index in tallies.indices {
            batch.withExport(index) { pending in
                ResourceShare.forEach(of: pending.export, tenantAttribute: tenantAttribute) {
                    share in
                    var counts = LossCounts()
                    counts.received = Int64(share.ordinals.count)
                    counts.committed = Int64(
                        sentRowCount(
                            ofExport: index, pending.export.signal, ordinals: share.ordinals))
                    losses.add(
                        key(share.tenant, pending.export.signal, pending.arrivalUnixNs), counts)
                }
            }
        }
    }

    mutating func key(_ tenant: String, _ signal: Signal, _ arrivalUnixNs: UInt64) -> LossKey {
        let minute = Int64(arrivalUnixNs / 60_000_000_000)
        return LossKey(
            minute: minute, signal: signal, tenant: admission.admit(tenant, minute: minute))
    }

    /// Rows of some items of an export that are not refused.
    private func sentRowCount(ofExport index: Int, _ signal: Signal, ordinals: Range<Int>) -> Int {
        guard !refused.isWholeExport else { return 0 }
        return FactTable.allCases.reduce(0) { count, table in
            guard table.signal == signal else { return count }
            let rows = copies[table].rows(ofExport: index, itemOrdinals: ordinals)
            guard !rows.isEmpty else { return count }
            return count + rows.count - refused.rows(of: table, in: rows).count
        }
    }

    /// After COMMIT: notes rows that were sent, and that COPY did not report.
    func checkReported(_ batch: borrowing ExportBatch, on connection: borrowing PGConnection) {
        let sentCount = FactTable.allCases.reduce(lettersWrittenCount) {
            $0 + copies[$1].rowCount - refused.rows(of: $1).count
        }
        let missingCount = sentCount - connection.copiedRowCount
        guard missingCount != 0 else { return }
        shared.logger.error(
            "the database took another number of rows than it was sent",
            metadata: ["sent": "\(sentCount)", "taken": "\(connection.copiedRowCount)"])
        let key = batch.withExport(0) { pending in
            LossKey(
                arrivalUnixNs: pending.arrivalUnixNs, signal: pending.export.signal, tenant: "")
        }
        var counts = LossCounts()
        counts.committed = Int64(-missingCount)
        shared.losses.add(key, counts)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Postgres
internal import Ring
internal import Rows

// One attempt to commit, and what it learns from its failure.
//
// Without poison: BEGIN, fingerprints, one COPY per table, COMMIT with the last. When a row was
// refused, the next attempt looks for all that will be, inside one transaction: each COPY stands in
// a savepoint. One that fails at a named row is sent again up to that row, then goes on behind it,
// so that a good row travels twice at most, however many bad ones there are. One that fails without
// a name is halved.
extension Transaction {
    /// Returns the fingerprints of those that are committed already; then nothing was written.
    mutating func attempt(
        _ batch: borrowing ExportBatch, noting notes: [ExportNote],
        on connection: inout PGConnection
    ) throws(Stop) -> Set<Fingerprint> {
        countLosses(batch)
        lettersWrittenCount = 0
        do throws(DatabaseError) {
            try makePartitions(on: &connection)
            if !hasDeadItems && !refused.isSearchNeeded && replayedIDs == nil {
                return try connection.commit(
                    copies: sources, noting: notes, in: ledgerWindow, adding: losses,
                    batches: batches, deadlineNs: deadlineNs)
            }
        } catch { throw .database(error) }
        connection.begin()
        do throws(Stop) {
            let known = try fill(batch, noting: notes, on: &connection)
            guard known.isEmpty else {
                connection.giveUpTransaction()
                do throws(DatabaseError) {
                    try connection.markKnown(
                        notes.filter { known.contains($0.fingerprint) }, deadlineNs)
                } catch { throw .database(error) }
                return known
            }
            do throws(DatabaseError) {
                try connection.commit(deadlineNs: deadlineNs)
            } catch { throw .database(error) }
            return []
        } catch {
            connection.giveUpTransaction()
            throw error
        }
    }

    /// Everything of the transaction between BEGIN and COMMIT.
    private mutating func fill(
        _ batch: borrowing ExportBatch, noting notes: [ExportNote],
        on connection: inout PGConnection
    ) throws(Stop) -> Set<Fingerprint> {
        do throws(DatabaseError) {
            let known =
                replayedIDs == nil
                ? try connection.note(notes, in: ledgerWindow, deadlineNs: deadlineNs)
                : try lockReplayed(notes.map(\.fingerprint), on: &connection)
            guard known.isEmpty else { return known }
            if refused.isSearchNeeded {
                try connection.checkConstraintsAtOnce(deadlineNs: deadlineNs)
                for table in FactTable.allCases { try copySearching(table, on: &connection) }
            } else {
                for source in sources {
                    try connection.copyIn(
                        source.statement, table: source.table, chunks: source.chunks,
                        deadlineNs: deadlineNs)
                }
                try connection.write(batches, deadlineNs: deadlineNs)
            }
        } catch { throw .database(error) }
        // Only now is it known which rows are taken.
        countLosses(batch)
        if replayedIDs == nil {
            try writeDeadLetters(of: batch, on: &connection)
        } else {
            try settleReplayed(batch, notes.map(\.fingerprint), on: &connection)
        }
        do throws(DatabaseError) {
            try connection.write(losses, deadlineNs: deadlineNs)
        } catch { throw .database(error.asOurs) }
        return []
    }

    private var sources: [CopySource] {
        FactTable.allCases.compactMap { table in
            copies[table].isEmpty ? nil : source(table, rows: 0..<copies[table].rowCount)
        }
    }

    private var batches: [RowBatch] {
        FactTable.allCases.compactMap { batch($0, rowCount: copies[$0].rowCount) }
    }

    /// What is noted of `rowCount` rows; nil for tables whose rows are not.
    private func batch(_ table: FactTable, rowCount: Int) -> RowBatch? {
        guard table.signal != .metrics, rowCount > 0, let range = copies[table].timeRangeUnixNs
        else { return nil }
        return RowBatch(signal: table.signal, timeRangeUnixNs: range, rowCount: rowCount)
    }

    /// A stream of `rows` without those that are refused.
    private func source(_ table: FactTable, rows: Range<Int>) -> CopySource {
        CopySource(
            statement: copies[table].layout.copyStatement, table: table.name,
            chunks: copies[table].pieces(
                rows: rows, withoutRows: refused.rows(of: table, in: rows)))
    }

    // MARK: Poison

    /// Takes up what `error` says of the rows; false when that is nothing.
    mutating func setAside(_ error: DatabaseError) -> Bool {
        switch error.disposition {
        case .rejectedRow(let name, let number):
            guard let table = FactTable.allCases.first(where: { name.starts(with: $0.name) }),
                !refused.isSearchNeeded
            else { return false }
            refused.isSearchNeeded = true
            // The server writes rows in bundles: what it says then may count past the last one.
            if number <= copies[table].rowCount {
                refuse(table, number: number, in: 0..<copies[table].rowCount, error)
            }
            return true
        case .rejectedContent:
            guard !refused.isSearchNeeded, copies.rowCount > 0 else { return false }
            refused.isSearchNeeded = true
            return true
        case .missingPartition:
            for table in FactTable.allCases { shared.partitions.cache.forget(table: table.name) }
            return false
        case .missingColumn:
            isPromotionStale = true
            return false
        default:
            return false
        }
    }

    /// `number` counts from 1 over the rows that were sent: those of `rows` not refused before.
    /// Returns the row.
    @discardableResult
    private mutating func refuse(
        _ table: FactTable, number: Int, in rows: Range<Int>, _ error: DatabaseError
    ) -> Int {
        var row = rows.lowerBound + number - 1
        for earlier in refused.rows(of: table, in: rows) where earlier <= row { row += 1 }
        refused.add(row: row, of: table, source: copies[table].source(ofRow: row), error)
        return row
    }

    /// Writes the rows of `table` that PostgreSQL takes, and notes the others.
    ///
    /// Cost, for n rows of which k are refused: by name at most 2n rows and 3k + 1 COPYs; without a
    /// name k log2 n COPYs, and each row log2 n times at worst.
    private mutating func copySearching(
        _ table: FactTable, on connection: inout PGConnection
    ) throws(DatabaseError) {
        // The last one is next.
        var ranges = [0..<copies[table].rowCount]
        var isTableProven = false
        while let range = ranges.popLast() {
            let sentCount = range.count - refused.rows(of: table, in: range).count
            guard sentCount > 0 else { continue }
            progress.step()
            do throws(DatabaseError) {
                try connection.copyInSavepoint(
                    source(table, rows: range),
                    noting: batch(table, rowCount: sentCount).map { [$0] } ?? [],
                    deadlineNs: deadlineNs)
            } catch {
                switch error.disposition {
                case .rejectedRow(let name, let number)
                where name.starts(with: table.name) && number <= sentCount:
                    let row = refuse(table, number: number, in: range, error)
                    ranges.append(row + 1..<range.upperBound)
                    ranges.append(range.lowerBound..<row)
                case .rejectedRow, .rejectedContent:
                    if !isTableProven { try prove(table, on: &connection) }
                    isTableProven = true
                    guard sentCount > 1 else {
                        refuse(table, number: 1, in: range, error)
                        continue
                    }
                    let middle = range.lowerBound + range.count / 2
                    ranges.append(middle..<range.upperBound)
                    ranges.append(range.lowerBound..<middle)
                default: throw error
                }
            }
        }
    }

    /// Makes sure that the rows are to blame: where a COPY of no rows is refused as well, nothing
    /// in them is, and a person has to act.
    private func prove(
        _ table: FactTable, on connection: inout PGConnection
    ) throws(DatabaseError) {
        do throws(DatabaseError) {
            try connection.copyInSavepoint(source(table, rows: 0..<0), deadlineNs: deadlineNs)
        } catch { throw error.asOurs }
    }

    // MARK: Whole exports

    /// Makes a transaction that only puts all items of the first export among the dead letters.
    mutating func condemn(_ batch: borrowing ExportBatch, _ error: DatabaseError) {
        tallies = [RowTally()]
        refused.addWholeExport(
            itemCount: batch.withExport(0) { $0.export.itemCount }, error)
    }
}

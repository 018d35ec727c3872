// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode
internal import Postgres
internal import Ring
internal import Rows

/// What a client hears of its items that are dead letters.
struct DeadSummary {
    /// Dead letters that the answer names.
    static let namedCountMax = 3

    let exportIndex: Int
    var itemCount = 0
    /// Items of them that had become rows.
    var refusedRowCount = 0
    var firstIDs: [Int64] = []
    var firstReason = ""

    var text: String {
        let names = firstIDs.map(String.init).joined(separator: ", ")
        let rest = itemCount > firstIDs.count ? " and \(itemCount - firstIDs.count) more" : ""
        let noun = itemCount == 1 ? "dead letter" : "dead letters"
        return "\(itemCount) not stored but kept as \(noun) \(names)\(rest); "
            + "the first because \(firstReason)"
    }
}

// What cannot be stored, in the transaction that stores the rest.
extension Transaction {
    var hasDeadItems: Bool {
        !refused.isEmpty || tallies.contains { $0.rejectedItemCount > 0 }
    }

    /// What clients are told of exports that earlier transactions committed: the same as then.
    mutating func outcomes(
        of known: Set<Fingerprint>, on connection: inout PGConnection
    ) throws(Stop) -> [Fingerprint: Outcome] {
        var outcomes: [Fingerprint: Outcome] = [:]
        for fingerprint in known { outcomes[fingerprint] = .accepted }
        do throws(DatabaseError) {
            for kept in try connection.keptLetters(of: known, deadlineNs: deadlineNs) {
                let summary = DeadSummary(
                    exportIndex: 0, itemCount: kept.count, firstIDs: [kept.firstID],
                    firstReason: kept.firstMessage)
                outcomes[kept.fingerprint] = .partial(
                    rejectedItemCount: kept.count, message: summary.text)
            }
        } catch { throw .database(error.asOurs) }
        return outcomes
    }

    /// Those of `fingerprints`, in the order of the exports, of which nothing is a dead letter: a
    /// retry of another one has to be told so.
    func accepted(_ fingerprints: [Fingerprint]) -> [Fingerprint] {
        let dead = Set(deadSummaries.map(\.exportIndex))
        return fingerprints.indices.filter { !dead.contains($0) }.map { fingerprints[$0] }
    }

    /// Numbers that are asked for at once, hence letters in one COPY.
    private static let letterCountPerCopyMax = 1_000

    /// Writes one dead letter for each item that was rejected or refused, and sums them up in
    /// `deadSummaries`. In the open transaction, after the rows, when all refusals are known.
    mutating func writeDeadLetters(
        of batch: borrowing ExportBatch, on connection: inout PGConnection
    ) throws(Stop) {
        deadSummaries.removeAll(keepingCapacity: true)
        #if DEBUG
        if TestBreak.isOn(.dropRefusedRow) { return }
        #endif
        refused.sortItems()
        var session = LetterSession(
            leftCount: refused.items.count
                + tallies.reduce(0) { $0 + $1.rejectedItemCount },
            tenantAttribute: shared.settings.tenantAttribute)
        defer { letters.removeAll(keptSizeBytes: 0) }
        for exportIndex in tallies.indices {
            let items = DeadItems(
                rejections: tallies[exportIndex].rejections,
                refused: refused.items(ofExport: exportIndex))
            guard items.count > 0 else { continue }
            var summary = DeadSummary(exportIndex: exportIndex)
            packer.begin()
            session.beginExport()
            for item in items {
                try session.reserveID(on: &connection, deadlineNs: deadlineNs)
                let isAppended = batch.withExport(exportIndex) { pending in
                    append(item, of: pending, &session, &summary)
                }
                guard isAppended else { throw overBudget(batch) }
                if letters.isFull || letters.rowCount == Transaction.letterCountPerCopyMax {
                    try flushLetters(&session, on: &connection)
                }
            }
            deadSummaries.append(summary)
        }
        try flushLetters(&session, on: &connection)
    }

    private mutating func append(
        _ item: DeadItem, of pending: borrowing PendingExport, _ session: inout LetterSession,
        _ summary: inout DeadSummary
    ) -> Bool {
        let (resource, resourceOrdinal) = packer.select(item.itemOrdinal, of: pending.export)
        session.enter(resource, ordinal: resourceOrdinal)
        var letter = DeadLetter(
            signal: pending.export.signal, reason: "", message: "",
            fingerprint: pending.fingerprint, requestItemCount: pending.export.itemCount,
            itemOrdinal: item.itemOrdinal, receivedUnixNs: pending.arrivalUnixNs)
        letter.id = session.takeID()
        letter.tenant = session.tenant
        letter.serviceName = session.serviceName
        var counts = LossCounts()
        counts.deadLettered = 1
        losses.add(key(session.tenant, letter.signal, letter.receivedUnixNs), counts)
        var words = ""
        switch item.cause {
        case .fault(let fault):
            letter.reason = fault.name
            letter.message = fault.description
            words = letter.message
        case .refused(let causeIndex):
            let cause = refused.causes[causeIndex]
            letter.reason = "refused_by_postgresql"
            letter.sqlState = cause.sqlState
            letter.message = cause.message
            let state = cause.sqlState.map { " (SQLSTATE \($0))" } ?? ""
            words = "PostgreSQL refused it: \(cause.message)\(state)"
            if !refused.isWholeExport { summary.refusedRowCount += 1 }
        }
        if summary.itemCount == 0 { summary.firstReason = words }
        if summary.firstIDs.count < DeadSummary.namedCountMax { summary.firstIDs.append(letter.id) }
        summary.itemCount += 1
        return letters.append(letter, packer)
    }

    private mutating func flushLetters(
        _ session: inout LetterSession, on connection: inout PGConnection
    ) throws(Stop) {
        guard letters.rowCount > 0 else { return }
        letters.seal()
        session.sizeBytes += letters.bytes.count
        guard session.sizeBytes <= shared.settings.deadLettersSizeBytesMax else {
            throw .deadLettersTooLarge
        }
        progress.step()
        do throws(DatabaseError) {
            try connection.copyIn(
                DeadLetterBuffer.copyStatement, table: DeadLetterBuffer.table,
                chunks: [letters.bytes], deadlineNs: deadlineNs)
        } catch { throw .database(error.asOurs) }
        lettersWrittenCount += letters.rowCount
        letters.removeAll(keptSizeBytes: 2 * DeadLetterBuffer.sizeBytesMax)
    }
}

/// What the letters of one transaction have in common.
private struct LetterSession {
    /// Letters that have no number yet.
    private var leftCount: Int
    /// Ascending; the next one is at `nextIndex`.
    private var ids: [Int64] = []
    private var nextIndex = 0
    private let tenantAttribute: String
    private var resourceOrdinal: Int?
    private(set) var tenant = ""
    private(set) var serviceName: String?
    /// Encoded bytes of all letters.
    var sizeBytes = 0

    init(leftCount: Int, tenantAttribute: String) {
        self.leftCount = leftCount
        self.tenantAttribute = tenantAttribute
    }

    mutating func reserveID(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(Transaction.Stop) {
        guard nextIndex == ids.count else { return }
        let count = min(leftCount, 1_000)
        do throws(DatabaseError) {
            ids = try connection.reserveDeadLetterIDs(count: count, deadlineNs: deadlineNs)
            guard ids.count == count else {
                throw DatabaseError.unexpected("otel_dead_letter_id_seq gave no usable numbers")
            }
        } catch { throw .database(error.asOurs) }
        leftCount -= count
        nextIndex = 0
    }

    mutating func takeID() -> Int64 {
        defer { nextIndex += 1 }
        return ids[nextIndex]
    }

    mutating func beginExport() { resourceOrdinal = nil }

    /// Looks up what is said of `resource`, once for each.
    mutating func enter(_ resource: ResourceView?, ordinal: Int) {
        guard ordinal != resourceOrdinal else { return }
        resourceOrdinal = ordinal
        tenant = TenantName.of(resource, attribute: tenantAttribute)
        serviceName = nil
        guard let found = resource?.attributes.last(where: { $0.key.equals("service.name") }),
            case .string(let text)? = found.value?.kind
        else { return }
        serviceName = DeadLetter.text(text)
    }
}

/// One item that is no row.
private struct DeadItem {
    enum Cause {
        case fault(ItemFault)
        case refused(causeIndex: Int)
    }

    let itemOrdinal: Int
    let cause: Cause
}

/// The dead items of one export by rising ordinal: no item is in both lists.
private struct DeadItems: Sequence, IteratorProtocol {
    private var rejections: ArraySlice<RowTally.Rejection>
    private var refused: ArraySlice<RefusedRows.Item>

    init(rejections: [RowTally.Rejection], refused: ArraySlice<RefusedRows.Item>) {
        self.rejections = rejections[...]
        self.refused = refused
    }

    var count: Int { rejections.count + refused.count }

    mutating func next() -> DeadItem? {
        let rejectedOrdinal = rejections.first?.itemOrdinal ?? .max
        if let item = refused.first, item.itemOrdinal < rejectedOrdinal {
            refused.removeFirst()
            return DeadItem(
                itemOrdinal: Int(item.itemOrdinal), cause: .refused(causeIndex: item.causeIndex))
        }
        guard let rejection = rejections.popFirst() else { return nil }
        return DeadItem(
            itemOrdinal: Int(rejection.itemOrdinal), cause: .fault(rejection.fault))
    }
}

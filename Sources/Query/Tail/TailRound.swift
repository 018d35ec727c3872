// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One look for all tails: what has been stored since each of them was served last.
///
/// The notes of what was stored are read once, and where there are new ones the rows once for each
/// question. A tail that was served has moved on, so that an error in between repeats nothing.
/// Thread: the poller's.
struct TailRound {
    /// What it took.
    struct Figures: Equatable {
        /// Questions for which rows were read.
        var readCount = 0
        /// Rows that are counted and not shown, as far as they are known.
        var skippedCount: Int64 = 0
    }

    private struct Group: Hashable {
        let text: String
        let since: String
        let place: String
    }

    private let tails: [Tail]
    private var figures = Figures()

    /// Serves `tails`, those that have not begun among them. Errors: of the database; those that
    /// are of one question end its tails only.
    static func run(
        _ tails: [Tail], from session: inout ReadSession
    ) throws(QueryFailure) -> Figures {
        var round = TailRound(tails: tails)
        try round.run(from: &session)
        return round.figures
    }

    private init(tails: [Tail]) { self.tails = tails }

    private mutating func run(from session: inout ReadSession) throws(QueryFailure) {
        for tail in tails where tail.position == nil { try check(tail, from: &session) }
        let tails = tails.filter { !$0.stream.isOver }
        for tail in tails where tail.position == nil { tail.position = tail.question.cursor }
        let (begun, new) = (
            tails.filter { $0.position != nil }, tails.filter { $0.position == nil }
        )
        var now: (snapshot: TransactionSnapshot, unixNs: Int64)?
        // Nearly always all of them are at one place.
        let places = Dictionary(grouping: begun) { tail in
            "\(tail.position?.since.text ?? "") \(tail.position?.place?.upTo.text ?? "")"
        }
        for tails in places.values {
            guard let position = tails[0].position else { continue }
            let batches = try StoredBatches(
                after: position.since, upTo: now?.snapshot, divided: position.place?.upTo,
                from: &session)
            let end = now ?? (batches.snapshot, batches.nowUnixNs)
            now = end
            let goal = TailCursor(since: end.snapshot, sinceUnixNs: end.unixNs)
            if TailRound.isLost(position, at: goal) {
                for tail in tails { lose(tail, goal) }
                continue
            }
            for tails in Dictionary(grouping: tails, by: TailRound.group).values {
                try serve(tails, batches, goal, from: &session)
            }
        }
        guard !new.isEmpty else { return }
        if now == nil {
            let (snapshot, unixNs) = try StoredBatches.now(from: &session)
            now = (snapshot, unixNs)
        }
        guard let now else { return }
        let goal = TailCursor(since: now.snapshot, sinceUnixNs: now.unixNs)
        for tail in new { try begin(tail, goal, from: &session) }
    }

    /// What a search would refuse is refused before anything is sent.
    private func check(_ tail: Tail, from session: inout ReadSession) throws(QueryFailure) {
        do throws(QueryFailure) {
            try tail.question.look.check(from: &session)
        } catch {
            try TailRound.end(tail, error)
        }
    }

    /// `tail` ends with `error`. Errors: `error`, where it is that of every tail.
    private static func end(_ tail: Tail, _ error: QueryFailure) throws(QueryFailure) {
        if error.kind == .databaseUnavailable || error.kind == .cancelled { throw error }
        tail.stream.fail(error)
    }

    private static func group(_ tail: Tail) -> Group {
        Group(
            text: tail.question.text, since: tail.position?.since.text ?? "",
            place: "\(tail.position?.place?.key ?? [])")
    }

    /// Whether it is not known any more what was stored after `position`: it is too old, or of
    /// another database than this, which may be an older state of the same.
    static func isLost(_ position: TailCursor, at now: TailCursor) -> Bool {
        now.sinceUnixNs - position.sinceUnixNs > TailLimits.windowNs
            || position.since.next > now.since.next
            || position.place.map { $0.upTo.next > now.since.next } ?? false
    }

    private func lose(_ tail: Tail, _ goal: TailCursor) {
        let cursor = goal.text(of: tail.question.fingerprint)
        tail.append(.lagged(nil, cursor: cursor))
        move(tail, to: goal)
    }

    /// The first place is told at once, so that a client that leaves can come back to it.
    private func move(_ tail: Tail, to goal: TailCursor) {
        let isFirst = tail.position == nil || tail.position == tail.question.cursor
        tail.position = goal
        if isFirst {
            tail.append(.position(cursor: goal.text(of: tail.question.fingerprint)))
        }
    }

    // MARK: Questions

    /// `tails` have one question, and are at one place.
    private mutating func serve(
        _ tails: [Tail], _ batches: StoredBatches, _ goal: TailCursor,
        from session: inout ReadSession
    ) throws(QueryFailure) {
        guard let position = tails[0].position else { return }
        let question = tails[0].question
        if let place = position.place {
            let middle = TailCursor(since: place.upTo, sinceUnixNs: position.sinceUnixNs)
            if let part = batches.part(of: question.elements, isBefore: true) {
                try show(part, after: place.key, to: tails, position, middle, from: &session)
            }
            for tail in tails { tail.position = middle }
            if let part = batches.part(of: question.elements) {
                try show(part, to: tails, middle, goal, from: &session)
            }
            // Without a place: told below.
            for tail in tails {
                tail.append(.position(cursor: goal.text(of: question.fingerprint)))
            }
        } else if let part = batches.part(of: question.elements) {
            try show(part, to: tails, position, goal, from: &session)
        }
        for tail in tails { move(tail, to: goal) }
    }

    /// Reads the rows of `part` and hands them to `tails`. Errors: of the database; of the question
    /// itself none.
    private mutating func show(
        _ part: StoredBatches.Part, after key: [Int64]? = nil, to tails: [Tail],
        _ position: TailCursor, _ goal: TailCursor, from session: inout ReadSession
    ) throws(QueryFailure) {
        figures.readCount += 1
        let question = tails[0].question
        let found: FoundRows
        do throws(QueryFailure) {
            found = try question.look.rows(of: part, after: key, from: &session)
        } catch {
            switch error.kind {
            case .queryTimeout:
                // Once it has taken too long it will again: what it was to find is given up.
                for tail in tails {
                    tail.append(.lagged(nil, cursor: goal.text(of: question.fingerprint)))
                }
                return
            case .databaseUnavailable, .cancelled, .migrating: throw error
            default:
                for tail in tails { tail.stream.fail(error) }
                return
            }
        }
        hand(found, to: tails, position, goal)
    }

    private mutating func hand(
        _ found: FoundRows, to tails: [Tail], _ position: TailCursor, _ goal: TailCursor
    ) {
        guard !found.isEmpty else { return }
        let fingerprint = tails[0].question.fingerprint
        func cursor(_ key: [Int64]?, isLast: Bool) -> String? {
            if isLast { return goal.text(of: fingerprint) }
            guard let key else { return nil }
            var end = position
            end.place = .init(upTo: goal.since, key: key)
            return end.text(of: fingerprint)
        }
        var entries: [TailQueue.Entry] = []
        if found.skippedCount != 0 {
            figures.skippedCount += (found.skippedCount ?? 0) * Int64(tails.count)
            entries.append(
                .lagged(
                    found.skippedCount,
                    cursor: cursor(found.skippedKey, isLast: found.rows.isEmpty)))
        }
        for (index, row) in found.rows.enumerated() {
            let isLast = index == found.rows.count - 1
            entries.append(.row(row.json, cursor: cursor(row.key, isLast: isLast)))
        }
        for tail in tails {
            for entry in entries { tail.append(entry) }
        }
    }

    /// What was stored before comes first, without places: it is not gone on with.
    private mutating func begin(
        _ tail: Tail, _ goal: TailCursor, from session: inout ReadSession
    ) throws(QueryFailure) {
        if let start = tail.question.start {
            figures.readCount += 1
            let found: FoundRows
            do throws(QueryFailure) {
                found = try tail.question.look.history(
                    since: start, tail.question.historyLimit, at: goal.since, from: &session)
            } catch {
                return try TailRound.end(tail, error)
            }
            if found.skippedCount == nil { tail.append(.lagged(nil, cursor: nil)) }
            for row in found.rows { tail.append(.row(row.json, cursor: nil)) }
        }
        move(tail, to: goal)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Decode
package import Postgres

// Dead letters by hand.
extension DatabaseMaintenance {
    /// The newest `limit` that `filter` means, newest first.
    package func deadLetters(
        _ filter: DeadLetterFilter, limit: Int
    ) throws(DaemonError) -> [StoredDeadLetter] {
        try withConnection { connection throws(DatabaseError) in
            try connection.listDeadLetters(
                filter, limit: limit, isNewestFirst: true, deadlineNs: stepDeadlineNs)
        }
    }

    /// One letter, and its request as it is stored.
    package func deadLetter(
        _ id: Int64
    ) throws(DaemonError) -> (letter: StoredDeadLetter, request: [UInt8]) {
        var filter = DeadLetterFilter()
        filter.ids = [id]
        let found = try withConnection { connection throws(DatabaseError) in
            let letter = try connection.listDeadLetters(
                filter, limit: 1, deadlineNs: stepDeadlineNs
            ).first
            var request: [UInt8] = []
            try connection.readDeadLetterRequests([id], deadlineNs: stepDeadlineNs) { _, bytes in
                request = unsafe Array(bytes.buffer)
            }
            return letter.map { ($0, request) }
        }
        guard let found else {
            throw DaemonError(
                .failed,
                "there is no dead letter \(id); `starling dead-letters list` shows them")
        }
        return found
    }

    /// A stored request as OTLP/JSON; nil where it cannot be decoded.
    package static func json(_ signal: Signal, _ request: [UInt8]) -> String? {
        let budget = MemoryBudget(limitBytes: 4 << 30)
        return unsafe request.withUnsafeBytes { bytes in
            let export = try? unsafe Decoder.decode(
                signal: signal, body: ByteSlice(bytes),
                limits: DecodeLimits(unpackedSizeBytesMax: budget.limitBytes).ofStored,
                budget: budget)
            guard let export else { return nil }
            return export.json
        }
    }

    /// Deletes what `filter` means, in steps; `progress` hears how many are gone, of how many.
    package func purgeDeadLetters(
        _ filter: DeadLetterFilter, isDryRun: Bool,
        progress: (_ doneCount: Int64, _ count: Int64) -> Void
    ) throws(DaemonError) -> (count: Int64, sizeBytes: Int64) {
        try withConnection { connection throws(DatabaseError) in
            let total = try connection.countDeadLetters(filter, deadlineNs: stepDeadlineNs)
            guard !isDryRun, total.count > 0 else { return total }
            var done: (count: Int64, sizeBytes: Int64) = (0, 0)
            while true {
                progress(done.count, total.count)
                let some = try connection.purgeDeadLetters(
                    filter, limit: 10_000, deadlineNs: stepDeadlineNs)
                guard some.count > 0 else { break }
                done.count += some.count
                done.sizeBytes += some.sizeBytes
            }
            try connection.logDeadLetterPurge(
                count: done.count, sizeBytes: done.sizeBytes, reason: "request",
                deadlineNs: stepDeadlineNs)
            return done
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base

/// Rows of spans or log records that one transaction writes, as `otel_row_batches` notes them.
package struct RowBatch: Sendable, Equatable {
    /// Seconds for which batches stay noted.
    package static let keptSeconds = 1_200

    package let signal: Signal
    /// Nanoseconds since 1970 that no row begins before, and after.
    package let timeRangeUnixNs: ClosedRange<Int64>
    package let rowCount: Int

    package init(signal: Signal, timeRangeUnixNs: ClosedRange<Int64>, rowCount: Int) {
        precondition(signal != .metrics, "points are not noted")
        self.signal = signal
        self.timeRangeUnixNs = timeRangeUnixNs
        self.rowCount = rowCount
    }

    /// Appends what `statement` reads.
    static func append(_ batches: [RowBatch], to parameters: inout QueryParameters) {
        var signals = ArrayParameter(.text)
        var firsts = ArrayParameter(.int8)
        var lasts = ArrayParameter(.int8)
        var counts = ArrayParameter(.int8)
        for batch in batches {
            signals.append(batch.signal.storedName)
            firsts.append(batch.timeRangeUnixNs.lowerBound)
            lasts.append(batch.timeRangeUnixNs.upperBound)
            counts.append(Int64(batch.rowCount))
        }
        for array in [signals, firsts, lasts, counts] { parameters.append(array) }
    }

    /// The statement, a data-modifying one that may stand in WITH. Its parameters have the numbers
    /// from `firstNumber` on.
    static func statement(parametersFrom firstNumber: Int) -> String {
        let arrays = (firstNumber...(firstNumber + 3)).map { "$\($0)" }.joined(separator: ", ")
        return """
            INSERT INTO otel_row_batches (signal, first_unix_nano, last_unix_nano, row_count)
            SELECT * FROM unnest(\(arrays))
            """
    }
}

extension PGConnection {
    /// Notes `batches` in the open transaction, or in the savepoint that their rows stand in.
    package mutating func write(
        _ batches: [RowBatch], deadlineNs: UInt64
    ) throws(DatabaseError) {
        guard !batches.isEmpty else { return }
        var parameters = QueryParameters()
        RowBatch.append(batches, to: &parameters)
        _ = try query(
            RowBatch.statement(parametersFrom: 1), parameters, deadlineNs: deadlineNs)
    }

    /// Forgets those that have been noted for longer than `RowBatch.keptSeconds`.
    package mutating func pruneRowBatches(deadlineNs: UInt64) throws(DatabaseError) {
        _ = try query(
            """
            DELETE FROM otel_row_batches
            WHERE written_at < now() - interval '\(RowBatch.keptSeconds) seconds'
            """, deadlineNs: deadlineNs)
    }
}

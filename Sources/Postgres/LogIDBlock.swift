// SPDX-License-Identifier: Apache-2.0

/// A run of `otel_logs_fact.log_id` values that belongs to one daemon.
package struct LogIDBlock: Sendable, Equatable {
    package let first: Int64
    package let count: Int64

    /// Values per block, part of the contract of `otel_log_id_block_seq`.
    package static let idCount: Int64 = 1_000_000
}

extension PGConnection {
    /// Reserves the next block. What of it is never used stays unused: the numbers have gaps.
    ///
    /// One round trip per million log records, outside any transaction.
    package mutating func reserveLogIDs(deadlineNs: UInt64) throws(DatabaseError) -> LogIDBlock {
        let result = try query("SELECT nextval('otel_log_id_block_seq')", deadlineNs: deadlineNs)
        guard result.rowCount == 1, let block = result.integer(row: 0, column: 0),
            block > 0, block < Int64.max / LogIDBlock.idCount
        else {
            throw DatabaseError(
                .unexpectedAnswer, .fatal, message: "otel_log_id_block_seq gave no usable number")
        }
        return LogIDBlock(first: block * LogIDBlock.idCount, count: LogIDBlock.idCount)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLibPQ
internal import CLinux

/// Encoded rows for one table.
///
/// Ownership: views memory of the caller, who keeps it until the call returns.
package struct CopySource: Sendable {
    /// `COPY t (columns) FROM STDIN (FORMAT binary)`.
    package let statement: String
    /// The table as the server names it in errors: without schema.
    package let table: String
    /// The stream, header included, cut anywhere.
    package let chunks: [ByteSlice]

    package init(statement: String, table: String, chunks: [ByteSlice]) {
        self.statement = statement
        self.table = table
        self.chunks = chunks
    }
}

/// Sizes of the pieces that COPY data travels in.
package enum CopyLimits {
    /// Bytes handed to libpq at a time.
    ///
    /// Client CPU per megabyte over a Unix socket, best of nine: 430 us with 8 KiB, 260 with 32,
    /// 220 with 64, 180 with 256, 190 with 512, 235 with 1,024. A little less than a power of two,
    /// because libpq doubles its buffer from 16 KiB until message and header fit.
    package static let chunkSizeBytes = (256 << 10) - 64
    /// What libpq holds for sending on one connection, at most: it keeps its buffer to the end.
    package static let sendBufferSizeBytesMax = 256 << 10
}

extension PGConnection {
    /// Writes every source in one transaction: BEGIN, the COPYs, COMMIT.
    ///
    /// Costs one round trip per source. Errors: nothing was committed, except where
    /// `commitOutcomeUnknown` says that nobody knows. The transaction is over in any case.
    package mutating func commit(
        copies sources: [CopySource], deadlineNs: UInt64
    ) throws(DatabaseError) {
        precondition(!sources.isEmpty)
        begin()
        do throws(DatabaseError) {
            for (index, source) in sources.enumerated() {
                let isLast = index == sources.count - 1
                try copyIn(
                    source.statement, table: source.table, chunks: source.chunks,
                    thenCommit: isLast, deadlineNs: deadlineNs)
            }
        } catch {
            rollback(deadlineNs: max(deadlineNs, Deadline.inMs(PGConnection.rollbackTimeoutMs)))
            throw error
        }
    }

    /// Writes the stream in `chunks` to `table`, in the open transaction; commits in the same round
    /// trip if asked to.
    ///
    /// Holds at most one chunk inside libpq: the next is asked for when the last is on its way.
    /// `statement` and `table` are as in `CopySource`. Errors: the transaction has to be rolled
    /// back.
    package mutating func copyIn(
        _ statement: String, table: String, chunks: some Sequence<ByteSlice>,
        thenCommit: Bool = false, chunkSizeBytes: Int = CopyLimits.chunkSizeBytes,
        deadlineNs: UInt64
    ) throws(DatabaseError) {
        precondition(transaction != .none, "COPY outside a transaction")
        precondition(chunkSizeBytes > 0 && chunkSizeBytes <= Int(Int32.max))
        try sendSimple(thenCommit ? statement + "; COMMIT" : statement, deadlineNs: deadlineNs)
        try awaitCopyStart(table, deadlineNs: deadlineNs)
        let isComplete = try send(chunks, chunkSizeBytes: chunkSizeBytes, deadlineNs: deadlineNs)
        do throws(DatabaseError) {
            try endCopy(isComplete: isComplete, deadlineNs: deadlineNs)
            let result = try finishCommand(deadlineNs: deadlineNs, copyTable: table)
            guard thenCommit else { return }
            transaction = .none
            try checkCommitted(result)
        } catch {
            if !isComplete, error.sqlState == PGConnection.queryCanceled {
                // The error is the one that we asked for: what was heard was none. Half a notice,
                // say.
                isHeedingInput = false
            }
            // Once the end of the data is sent, COMMIT may run at any time.
            throw thenCommit && isComplete ? error.duringCommit() : error
        }
    }

    private static let queryCanceled = "57014"

    private mutating func awaitCopyStart(
        _ table: String, deadlineNs: UInt64
    ) throws(DatabaseError) {
        while let result = try nextResult(deadlineNs: deadlineNs) {
            switch result.status {
            case PGRES_COPY_IN:
                return
            case PGRES_COMMAND_OK:  // of the BEGIN in front
                continue
            default:
                let report = result.report
                _ = try finishCommand(deadlineNs: deadlineNs, copyTable: table, report: report)
            }
        }
        abandon()
        throw DatabaseError(.unexpectedAnswer, .fatal, message: "COPY did not start")
    }

    /// Sends the data; false when the server has spoken before it was all sent, which is to refuse
    /// it.
    private mutating func send(
        _ chunks: some Sequence<ByteSlice>, chunkSizeBytes: Int, deadlineNs: UInt64
    ) throws(DatabaseError) -> Bool {
        for whole in chunks {
            var offset = 0
            while offset < whole.count {
                try checkDeadline(deadlineNs, doing: "sending rows")
                if try hasServerSpoken() { return false }
                let sizeBytes = min(chunkSizeBytes, whole.count - offset)
                try putCopyData(whole.slice(offset: offset, count: sizeBytes))
                if try flush(deadlineNs: deadlineNs), isHeedingInput { return false }
                offset += sizeBytes
            }
        }
        return true
    }

    private mutating func putCopyData(_ piece: ByteSlice) throws(DatabaseError) {
        let bytes = unsafe piece.base!.assumingMemoryBound(to: CChar.self)
        guard unsafe PQputCopyData(raw, bytes, Int32(piece.count)) == 1 else {
            throw refusedByLibrary()
        }
    }

    /// Whether the server has sent anything but notices while it should only listen.
    ///
    /// libpq keeps an error to itself until the COPY is ended, so that without this a batch of many
    /// megabytes would be sent to the end for nothing. A hint only: libpq may read by itself, when
    /// the socket is full, and what was read may be part of a notice. In the former case the error
    /// is learned at the end; in the latter the COPY fails for nothing, as `transient`, and no
    /// further one on this connection.
    private mutating func hasServerSpoken() throws(DatabaseError) -> Bool {
        let ready = poll(POLLIN, timeoutMs: 0)
        if ready.isStopped {
            abandon()
            throw .stopped()
        }
        guard ready.socket != 0 else { return false }
        return (readInput() ?? true) && isHeedingInput
    }

    private mutating func endCopy(isComplete: Bool, deadlineNs: UInt64) throws(DatabaseError) {
        while true {
            switch unsafe PQputCopyEnd(raw, isComplete ? nil : "given up by the client") {
            case 1:
                try flush(deadlineNs: deadlineNs)
                return
            case 0:
                _ = try wait(for: POLLOUT, deadlineNs: deadlineNs, doing: "ending a COPY")
            default:
                throw refusedByLibrary()
            }
        }
    }
}

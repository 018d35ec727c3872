// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLibPQ

extension PGConnection {
    /// Runs `sql`, one statement or several, and drops its rows.
    package mutating func execute(_ sql: String, deadlineNs: UInt64) throws(DatabaseError) {
        try sendSimple(sql, deadlineNs: deadlineNs)
        _ = try finishCommand(deadlineNs: deadlineNs)
    }

    /// Runs one statement with parameters and returns its rows, in binary.
    package mutating func query(
        _ sql: String, _ parameters: QueryParameters = QueryParameters(), deadlineNs: UInt64
    ) throws(DatabaseError) -> QueryResult {
        if transaction == .beginPending { try execute("", deadlineNs: deadlineNs) }
        try checkUsable()
        guard sendParameterised(sql, parameters) == 1 else { throw refusedByLibrary() }
        try flush(deadlineNs: deadlineNs)
        guard let result = try finishCommand(deadlineNs: deadlineNs) else {
            throw DatabaseError(.unexpectedAnswer, .fatal, message: "the statement gave no result")
        }
        return result
    }

    func checkUsable() throws(DatabaseError) {
        guard !isLost else {
            throw DatabaseError(
                .connectionLost, .reconnect, message: "the connection was lost before")
        }
    }

    /// Sends `sql` as a simple query, with BEGIN in front when a transaction is to start.
    mutating func sendSimple(_ sql: String, deadlineNs: UInt64) throws(DatabaseError) {
        try checkUsable()
        let isBeginning = transaction == .beginPending
        guard unsafe PQsendQuery(raw, isBeginning ? "BEGIN; " + sql : sql) == 1 else {
            throw refusedByLibrary()
        }
        if isBeginning { transaction = .open }
        try flush(deadlineNs: deadlineNs)
    }

    /// Reads the rest of the command to its end, always, and returns its last result.
    ///
    /// Errors: the first one that the server reported; `report` is one that the caller has read
    /// already. `copyTable` is the table of a COPY, by which the row of an error is found.
    mutating func finishCommand(
        deadlineNs: UInt64, copyTable: String? = nil, report: ServerReport? = nil
    ) throws(DatabaseError) -> QueryResult? {
        var report = report
        var last: QueryResult?
        do throws(DatabaseError) {
            while let result = try nextResult(deadlineNs: deadlineNs) {
                switch result.status {
                case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                    if copyTable != nil, result.commandTag.hasPrefix("COPY ") {
                        copiedRowCount += result.affectedRowCount
                    }
                    last = consume result
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                    // Only copyIn() may start one, and it reads up to there by itself.
                    abandon()
                    throw DatabaseError(.unexpectedAnswer, .fatal, message: "unexpected COPY")
                default:
                    report = report ?? result.report
                }
            }
        } catch {
            // A session that is ended says why, and then the link breaks: the former is of
            // interest.
            guard error.code == .connectionLost, report != nil else { throw error }
        }
        if unsafe PQstatus(raw) != CONNECTION_OK { abandon() }
        if let report {
            throw DatabaseError(report, copyTable: copyTable, isConnectionUsable: !isLost)
        }
        return last
    }

    /// PQsendQueryParams with everything in binary.
    private func sendParameterised(_ sql: String, _ parameters: QueryParameters) -> Int32 {
        let types = parameters.typeIDs
        return unsafe parameters.withValues { values, lengths, formats in
            unsafe PQsendQueryParams(
                raw, sql, Int32(types.count), types, values, lengths, formats, 1)
        }
    }
}

extension QueryParameters {
    var typeIDs: [Oid] { entries.map { Oid($0.typeID) } }

    /// What libpq takes as values, lengths and formats, all binary; valid for the call.
    func withValues<Value>(
        _ body: (
            _ values: [UnsafePointer<CChar>?], _ lengths: [Int32], _ formats: [Int32]
        ) -> Value
    ) -> Value {
        let lengths = entries.map { Int32(max(0, $0.sizeBytes)) }
        let formats = [Int32](repeating: 1, count: entries.count)
        return unsafe bytes.withUnsafeBytes { bytes in
            let base = unsafe bytes.bindMemory(to: CChar.self).baseAddress!
            let values = unsafe entries.map { entry in
                unsafe entry.sizeBytes < 0 ? nil : UnsafePointer(base + entry.offset)
            }
            return unsafe body(values, lengths, formats)
        }
    }
}

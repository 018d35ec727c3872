// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLibPQ

/// Statements that the server has parsed, and plans once or a few times, for one session.
struct PreparedStatements {
    /// Text to name.
    private var names: [String: String] = [:]
    /// False once the session was seen to have lost one: a pooler between may give us another
    /// session for each transaction.
    var isReliable = true

    /// The most that one session is asked to keep.
    static let countMax = 16

    /// Whether `sql` is to be sent as a prepared statement.
    func takes(_ sql: String) -> Bool {
        isReliable && (names[sql] != nil || names.count < PreparedStatements.countMax)
    }

    /// The name of `sql`, and whether the server knows it.
    func name(of sql: String) -> (name: String, isKnown: Bool) {
        if let name = names[sql] { return (name, true) }
        return ("starling_\(names.count)", false)
    }

    mutating func know(_ sql: String, as name: String) { names[sql] = name }
}

extension PGConnection {
    /// As `query`, for a statement that is the same each time: the server parses it once for the
    /// session, and BEGIN, where one is due, travels with it.
    ///
    /// Costs one round trip. Errors: as `query`; and `transient` where the session has forgotten
    /// the statement, after which statements are not prepared any more.
    package mutating func queryPrepared(
        _ sql: String, _ parameters: QueryParameters, deadlineNs: UInt64
    ) throws(DatabaseError) -> QueryResult {
        guard prepared.takes(sql) else { return try query(sql, parameters, deadlineNs: deadlineNs) }
        try checkUsable()
        let (name, isKnown) = prepared.name(of: sql)
        let isBeginning = transaction == .beginPending
        guard
            sendPipeline(
                sql, name: name, isKnown: isKnown, isBeginning: isBeginning, parameters)
        else { throw refusedByLibrary() }
        if isBeginning { transaction = .open }
        try flush(deadlineNs: deadlineNs)
        let answer = try finishPipeline(deadlineNs: deadlineNs)
        guard unsafe PQexitPipelineMode(raw) == 1 else { throw refusedByLibrary() }
        // BEGIN, the statement's own, its rows: what came before an error was done.
        let doneCount = (isBeginning ? 1 : 0) + (isKnown ? 0 : 1)
        if !isKnown, answer.doneCount >= doneCount { prepared.know(sql, as: name) }
        if let report = answer.report {
            let error = DatabaseError(report, copyTable: nil, isConnectionUsable: !isLost)
            if error.isOfPreparing { prepared.isReliable = false }
            throw error
        }
        guard let result = answer.last else {
            throw DatabaseError(.unexpectedAnswer, .fatal, message: "the statement gave no result")
        }
        return result
    }

    /// Queues all of it and the end of the pipeline; false where libpq refuses.
    private func sendPipeline(
        _ sql: String, name: String, isKnown: Bool, isBeginning: Bool,
        _ parameters: QueryParameters
    ) -> Bool {
        let types = parameters.typeIDs
        guard unsafe PQenterPipelineMode(raw) == 1 else { return false }
        if isBeginning {
            guard unsafe PQsendQueryParams(raw, "BEGIN", 0, nil, nil, nil, nil, 1) == 1 else {
                return false
            }
        }
        if !isKnown {
            guard unsafe PQsendPrepare(raw, name, sql, Int32(types.count), types) == 1 else {
                return false
            }
        }
        let isSent = unsafe parameters.withValues { values, lengths, formats in
            unsafe PQsendQueryPrepared(
                raw, name, Int32(types.count), values, lengths, formats, 1)
        }
        guard isSent == 1 else { return false }
        return unsafe PQpipelineSync(raw) == 1
    }

    /// What came of a pipeline.
    private struct PipelineAnswer: ~Copyable {
        /// Commands that the server did.
        var doneCount = 0
        /// Of the command that was done last.
        var last: QueryResult?
        /// Of the command that failed; the ones behind it were left out.
        var report: ServerReport?
    }

    /// Reads up to the end of the pipeline.
    private mutating func finishPipeline(
        deadlineNs: UInt64
    ) throws(DatabaseError) -> PipelineAnswer {
        var answer = PipelineAnswer()
        var isBetweenCommands = false
        while true {
            guard let result = try nextResult(deadlineNs: deadlineNs) else {
                // Once after each command; twice in a row only when the link is gone.
                if isBetweenCommands { break }
                isBetweenCommands = true
                continue
            }
            isBetweenCommands = false
            switch result.status {
            case PGRES_PIPELINE_SYNC:
                if unsafe PQstatus(raw) != CONNECTION_OK { abandon() }
                return answer
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                answer.doneCount += 1
                answer.last = consume result
            case PGRES_PIPELINE_ABORTED:
                break
            default:
                answer.report = answer.report ?? result.report
            }
        }
        guard let report = answer.report else { throw lost() }
        abandon()
        throw DatabaseError(report, copyTable: nil, isConnectionUsable: false)
    }
}

extension DatabaseError {
    /// Whether the server does not know a statement, or knows another of that name.
    fileprivate var isOfPreparing: Bool { sqlState == "26000" || sqlState == "42P05" }
}

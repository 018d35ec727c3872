// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLibPQ
internal import CLinux

extension PGConnection {
    /// Opens a session with the first host that takes one, and sets it up.
    ///
    /// Each host gets its own timeout (see `DatabaseSettings`), all together end at `deadlineNs`.
    /// Name resolution blocks (libpq has no other): give `hostaddr` where that matters.
    /// Errors: the first that asks for a person, else the last.
    package static func connect(
        _ settings: DatabaseSettings, stop: StopSignal, deadlineNs: UInt64 = .max
    ) throws(DatabaseError) -> PGConnection {
        var worst: DatabaseError?
        for target in try ConnectionTarget.targets(settings) {
            let targetDeadlineNs = min(deadlineNs, Deadline.inMs(target.timeoutMs))
            do throws(DatabaseError) {
                return try open(target, settings, stop: stop, deadlineNs: targetDeadlineNs)
            } catch {
                if error.disposition == .stopped { throw error }
                if worst?.disposition != .fatal { worst = error }
            }
        }
        throw worst ?? DatabaseError(.badSettings, .fatal, message: "database.url names no host")
    }

    private static func open(
        _ target: ConnectionTarget, _ settings: DatabaseSettings, stop: StopSignal,
        deadlineNs: UInt64
    ) throws(DatabaseError) -> PGConnection {
        guard let raw = unsafe start(target) else {
            throw DatabaseError(.connectFailed, .reconnect, message: "out of memory")
        }
        var connection = unsafe PGConnection(owning: raw, settings: settings, stop: stop)
        try connection.handshake(deadlineNs: deadlineNs)
        guard unsafe PQsetnonblocking(raw, 1) == 0 else { throw connection.refusedByLibrary() }
        try connection.setUpSession(deadlineNs: deadlineNs)
        return connection
    }

    /// PQconnectStartParams, which wants two arrays of C strings that end in NULL.
    private static func start(_ target: ConnectionTarget) -> OpaquePointer? {
        let keywords = unsafe target.options.map { unsafe strdup($0.keyword) } + [nil]
        let values = unsafe target.options.map { unsafe strdup($0.value) } + [nil]
        defer {
            for index in target.options.indices {
                unsafe free(keywords[index])
                unsafe free(values[index])
            }
        }
        return unsafe keywords.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer {
            keywords in
            unsafe values.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { values in
                unsafe PQconnectStartParams(keywords.baseAddress, values.baseAddress, 0)
            }
        }
    }

    private mutating func handshake(deadlineNs: UInt64) throws(DatabaseError) {
        // The verbose form is the only one in which a refused connection shows its SQLSTATE.
        unsafe PQsetErrorVerbosity(raw, PQERRORS_VERBOSE)
        var status = PGRES_POLLING_WRITING  // what libpq asks callers to assume at the start
        while unsafe PQstatus(raw) != CONNECTION_BAD {
            switch status {
            case PGRES_POLLING_OK:
                unsafe PQsetErrorVerbosity(raw, PQERRORS_DEFAULT)
                return
            case PGRES_POLLING_READING:
                _ = try wait(for: POLLIN, deadlineNs: deadlineNs, doing: "connecting")
            case PGRES_POLLING_WRITING:
                _ = try wait(for: POLLOUT, deadlineNs: deadlineNs, doing: "connecting")
            default:
                throw connectFailure()
            }
            status = unsafe PQconnectPoll(raw)
        }
        throw connectFailure()
    }

    private func connectFailure() -> DatabaseError {
        let said = unsafe PQerrorMessage(raw).map { unsafe String(cString: $0) } ?? ""
        return DatabaseError(
            connectMessage: said, needsPassword: unsafe PQconnectionNeedsPassword(raw) == 1)
    }

    /// Bounds what a session can do to others after its client was stopped or hung up on: a
    /// statement that goes on alone, and locks that are held by nobody who moves.
    private mutating func setUpSession(deadlineNs: UInt64) throws(DatabaseError) {
        try execute(
            """
            SET statement_timeout = \(settings.statementTimeoutMs);
            SET idle_in_transaction_session_timeout = \(PGConnection.idleInTransactionTimeoutMs)
            """, deadlineNs: deadlineNs)
    }

    private static let idleInTransactionTimeoutMs = 60_000
}

extension DatabaseError {
    /// From libpq's verbose text about a failed attempt:
    /// `connection to server at "h", port 5432 failed: FATAL:  28P01: password authentication
    /// failed ...`.
    init(connectMessage: String, needsPassword: Bool) {
        let line = connectMessage.split(whereSeparator: \.isNewline).first ?? ""
        let sqlState = DatabaseError.sqlState(inVerbose: line)
        let report = ServerReport(sqlState: sqlState, primaryMessage: String(line))
        let judged = classify(report, row: nil, isConnectionUsable: false)
        self.init(
            .connectFailed, needsPassword ? .fatal : judged, sqlState: sqlState,
            message: report.boundedMessage)
    }

    /// The five characters between `:  ` and `: `, which is where the verbose form has them.
    private static func sqlState(inVerbose line: Substring) -> String? {
        var rest = line
        while let colon = rest.firstIndex(of: ":") {
            rest = rest[rest.index(after: colon)...]
            let candidate = rest.drop { $0 == " " }.prefix(6)
            let isState = candidate.dropLast().allSatisfy {
                $0.isASCII && ($0.isUppercase || $0.isNumber)
            }
            if rest.hasPrefix("  "), candidate.count == 6, candidate.last == ":", isState {
                return String(candidate.dropLast())
            }
        }
        return nil
    }
}

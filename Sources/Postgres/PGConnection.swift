// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLibPQ
internal import CLinux

/// Sole owner of one libpq connection, in non-blocking mode.
///
/// Every method blocks its thread in poll() until the server answered, the deadline passed or the
/// stop signal fired. After the latter two, as after a lost link, the protocol is in an unknown
/// state: `isUsable` is false, and the one thing left to do is to let the connection go.
/// Thread: confined to one, hence not `Sendable`.
@safe
package struct PGConnection: ~Copyable {
    let raw: OpaquePointer
    let stop: StopSignal
    let notices: NoticeLog
    let settings: DatabaseSettings
    private(set) var isLost = false
    var transaction = TransactionPhase.none
    /// Rows that the server reports for the COPYs since the last `begin()`.
    package internal(set) var copiedRowCount = 0
    /// While a statement of somebody is under way who may lose interest: fired, the statement is
    /// cancelled at the server, and its error is the answer.
    var interruption: StopSignal?
    var prepared = PreparedStatements()
    /// Whether what the server says amid a COPY is taken for an error, and the COPY ended.
    var isHeedingInput = true

    /// BEGIN travels with the first statement of a transaction, to save a round trip.
    enum TransactionPhase { case none, beginPending, open }

    init(owning raw: OpaquePointer, settings: DatabaseSettings, stop: StopSignal) {
        unsafe self.raw = raw
        self.settings = settings
        self.stop = stop
        notices = NoticeLog()
        unsafe PQsetNoticeReceiver(raw, receiveNotice, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { unsafe PQfinish(raw) }

    /// False once the connection can only be let go.
    package var isUsable: Bool { !isLost }

    /// Declares the connection unusable, and hangs up, so that the server drops what the session
    /// holds (locks, above all) even if whoever owns it is in no hurry to let it go.
    mutating func abandon() {
        isLost = true
        let socket = unsafe PQsocket(raw)
        if socket >= 0 { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    /// Whether the server has a transaction open that can go on.
    var isServerInTransaction: Bool { unsafe PQtransactionStatus(raw) == PQTRANS_INTRANS }

    package var isInTransaction: Bool { transaction != .none }

    /// As 150020 for 15.20.
    package var serverVersion: Int { Int(unsafe PQserverVersion(raw)) }

    /// The process on the server, as in `pg_stat_activity.pid`.
    package var backendProcessID: Int32 { unsafe PQbackendPID(raw) }

    /// Where the session is, for people: `host:port/database`. Without user and password.
    package var endpoint: String {
        func text(_ value: UnsafeMutablePointer<CChar>?) -> String {
            unsafe value.map { unsafe String(cString: $0) } ?? ""
        }
        return unsafe "\(text(PQhost(raw))):\(text(PQport(raw)))/\(text(PQdb(raw)))"
    }

    /// A setting that the server reports (`server_encoding`, `in_hot_standby`, ...), if it does.
    package func serverParameter(_ name: String) -> String? {
        guard let value = unsafe PQparameterStatus(raw, name) else { return nil }
        return unsafe String(cString: value)
    }

    /// The newest notices and warnings of the server, at most eight.
    package var newestNotices: [DatabaseNotice] { notices.newest }

    /// Looks whether an idle connection is still alive; no round trip. Thread: its own. Cost: one
    /// poll().
    ///
    /// A server that shut down has said so long before the next batch comes along.
    package mutating func checkIdle() -> Bool {
        guard !isLost else { return false }
        while poll(POLLIN, timeoutMs: 0).socket != 0 {
            // The server's farewell comes before the end of the stream.
            if readInput() == nil { break }
        }
        if unsafe PQstatus(raw) != CONNECTION_OK { abandon() }
        return !isLost
    }
}

extension PGConnection {
    /// Sleeps until the socket is ready for one of `events`, and returns those that it is ready
    /// for.
    mutating func wait(
        for events: Int32, deadlineNs: UInt64, doing: String
    ) throws(DatabaseError) -> Int32 {
        while true {
            // poll() would ignore a socket that libpq has closed, and wait for nothing.
            guard unsafe PQsocket(raw) >= 0 else { throw lost() }
            let ready = poll(events, timeoutMs: Deadline.leftMs(untilNs: deadlineNs))
            if ready.isStopped {
                abandon()
                throw .stopped()
            }
            if ready.isInterrupted { cancelStatement() }
            if ready.socket != 0 { return ready.socket }
            try checkDeadline(deadlineNs, doing: doing)
        }
    }

    mutating func checkDeadline(_ deadlineNs: UInt64, doing: String) throws(DatabaseError) {
        guard Clock.monotonicNs >= deadlineNs else { return }
        abandon()
        throw .timedOut(doing)
    }

    /// One poll() over the socket and the signals. The socket counts as ready when it is broken.
    func poll(_ events: Int32, timeoutMs: Int32) -> Polled {
        var polled = unsafe [
            pollfd(fd: PQsocket(raw), events: Int16(events), revents: 0),
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
            // A negative descriptor is passed over (poll(2)).
            pollfd(fd: interruption?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let count = unsafe CLinux.poll(&polled, nfds_t(polled.count), timeoutMs)
        // Timed out, or EINTR: the caller looks at the clock.
        guard count > 0 else { return Polled() }
        let isBroken = Int32(polled[0].revents) & (POLLERR | POLLHUP | POLLNVAL) != 0
        return Polled(
            socket: isBroken ? events : Int32(polled[0].revents),
            isStopped: polled[1].revents != 0, isInterrupted: polled[2].revents != 0)
    }

    /// What a poll() found.
    struct Polled {
        /// The events that the socket is ready for.
        var socket: Int32 = 0
        var isStopped = false
        var isInterrupted = false
    }

    /// Sends what libpq holds. Reads meanwhile, so that a server which waits to be read cannot
    /// block us.
    ///
    /// Returns whether the server said anything but notices meanwhile.
    @discardableResult
    mutating func flush(deadlineNs: UInt64) throws(DatabaseError) -> Bool {
        var hasServerSpoken = false
        while true {
            switch unsafe PQflush(raw) {
            case 0: return hasServerSpoken
            case 1: break
            default: throw lost()
            }
            let ready = try wait(for: POLLIN | POLLOUT, deadlineNs: deadlineNs, doing: "sending")
            guard ready & POLLIN != 0 else { continue }
            guard let isMoreThanNotices = readInput() else { throw lost() }
            if isMoreThanNotices { hasServerSpoken = true }
        }
    }

    /// Takes over what the socket has; whether that was more than notices, nil at its end.
    mutating func readInput() -> Bool? {
        let noticeCount = notices.totalCount
        guard unsafe PQconsumeInput(raw) == 1 else { return nil }
        _ = unsafe PQisBusy(raw)  // parses, which hands notices to their receiver
        return notices.totalCount == noticeCount
    }

    /// The next result of the command under way; nil when it is over.
    mutating func nextResult(deadlineNs: UInt64) throws(DatabaseError) -> QueryResult? {
        while unsafe PQisBusy(raw) != 0 {
            _ = try wait(for: POLLIN, deadlineNs: deadlineNs, doing: "waiting for an answer")
            guard unsafe PQconsumeInput(raw) == 1 else { throw lost() }
        }
        guard let result = unsafe PQgetResult(raw) else { return nil }
        return unsafe QueryResult(owning: result)
    }

    /// The error for a link that broke: what the server said last, else what libpq says.
    mutating func lost() -> DatabaseError {
        defer { abandon() }
        let said = unsafe PQerrorMessage(raw).map { unsafe String(cString: $0) } ?? ""
        // The server's farewell (57P01 ...) may have been read with the end of the stream. Without
        // a connection PQgetResult does not block; the bound is against a library that thinks
        // otherwise.
        for _ in 0..<4 where unsafe PQstatus(raw) == CONNECTION_BAD {
            guard let pending = unsafe PQgetResult(raw) else { break }
            let result = unsafe QueryResult(owning: pending)
            if result.status == PGRES_FATAL_ERROR, result.report.sqlState != nil {
                return DatabaseError(result.report, copyTable: nil, isConnectionUsable: false)
            }
        }
        return DatabaseError(
            .connectionLost, .reconnect,
            message: said.isEmpty ? "the connection was lost" : ServerReport.cut(said[...]))
    }

    /// The error for a call that libpq refused although the link stands.
    mutating func refusedByLibrary() -> DatabaseError {
        if unsafe PQstatus(raw) == CONNECTION_BAD { return lost() }
        abandon()
        let said = unsafe PQerrorMessage(raw).map { unsafe String(cString: $0) } ?? ""
        return DatabaseError(.unexpectedAnswer, .reconnect, message: ServerReport.cut(said[...]))
    }
}

/// libpq's callback: copies the notice into the log of its connection, which outlives it.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context = unsafe context, let result = unsafe result else { return }
    let report = unsafe ServerReport(result: result)
    unsafe Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().append(
        DatabaseNotice(sqlState: report.sqlState ?? "", message: report.boundedMessage))
}

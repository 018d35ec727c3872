// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HTTP2

/// One gRPC call, from its first header field to its answer.
///
/// Ownership: its stream. Thread: the connection's loop.
final class Call: StreamHandler {
    unowned let connection: ServerConnection
    private var head = RequestHead()
    var deframer: MessageDeframer?
    private(set) var deadlineNs: UInt64
    var state = State.receivingHead
    /// When the peer had sent all.
    private var receivedNs: UInt64 = 0
    /// Who it is from, as its head says.
    private var identity: Identity?
    /// When the answer was ready, or, of one that is sent a part at a time, when the client last
    /// had taken all of it.
    private var answeredNs: UInt64 = 0
    /// Of a call of Health/Watch.
    var watch: HealthWatch?
    /// Counted among the calls of reflection of its connection.
    var isConversation = false
    /// Body bytes taken, for which the peer has no new credit yet.
    private var withheldBytes = 0
    private var withheldSinceNs: UInt64 = 0

    enum State: Equatable {
        case receivingHead
        case receivingBody
        /// Handed on; the outcome is awaited.
        case pending
        /// The answer goes out a message at a time.
        case streaming
        /// Likewise, while more questions may come.
        case conversing
        /// The answer is submitted; whatever still arrives is discarded.
        case answered
    }

    init(connection: ServerConnection) {
        self.connection = connection
        deadlineNs = Clock.monotonicNs + connection.settings.deadlineNs
    }

    // MARK: StreamHandler

    func header(name: ByteSlice, value: ByteSlice, on stream: Stream) {
        if state == .receivingHead { head.add(name: name, value: value) }
    }

    func headersEnded(on stream: Stream) {
        guard state == .receivingHead else { return }
        countRequest()
        if let rejection = head.rejection {
            countOutcome(.requestsRefused)
            return answer(rejection, on: stream)
        }
        guard isAdmitted(on: stream) else { return }
        if case .nanoseconds(let timeoutNs) = head.timeout { shortenDeadline(to: timeoutNs) }
        deframer = MessageDeframer(budget: connection.budget)
        state = .receivingBody
        if head.route == .reflection { beginReflection(on: stream) }
    }

    /// The client waits for `timeoutNs` from now on. The head may have taken longer than we give.
    private func shortenDeadline(to timeoutNs: UInt64) {
        let (endNs, isOverflow) = Clock.monotonicNs.addingReportingOverflow(timeoutNs)
        if !isOverflow { deadlineNs = min(deadlineNs, endNs) }
    }

    /// Whether the sender may come in, judged before a byte of the body is kept; answers if not.
    ///
    /// Health is open: balancers have no tokens.
    private func isAdmitted(on stream: Stream) -> Bool {
        let access: Access
        switch head.route {
        case .export: access = .ingest
        case .reflection: access = .any
        case .health, nil: return true
        }
        var credentials = head.takeCredentials()
        guard let authenticator = connection.authenticator else { return true }
        credentials.certificate = connection.certificate()
        switch authenticator.judge(credentials, for: access, peer: connection.peer) {
        case .admitted(let identity):
            self.identity = identity
            return true
        case .refused(let failure):
            countOutcome(failure == .notReady ? .requestsRetry : .requestsRefused)
            answer(.of(failure, retryAfterMs: connection.retryAfterMs), on: stream)
            return false
        }
    }

    private func countRequest() {
        switch head.route {
        case .export, nil: connection.counters.add(.requestsReceived)
        case .health: connection.counters.add(.healthCalls)
        case .reflection: break
        }
    }

    /// Counts the end of what `countRequest` has counted.
    private func countOutcome(_ counter: Counter) {
        switch head.route {
        case .export, nil: connection.counters.add(counter)
        case .health, .reflection: break
        }
    }

    func data(_ bytes: ByteSlice, on stream: Stream) {
        if state == .conversing { return converse(bytes, on: stream) }
        guard state == .receivingBody else {
            return connection.session.consume(bytes.count, on: stream)
        }
        do throws(MessageDeframer.Fault) {
            try deframer?.append(bytes, limitBytes: messageSizeBytesMax)
            credit(bytes.count, on: stream)
        } catch {
            connection.session.consume(bytes.count, on: stream)
            refuse(error, on: stream)
        }
    }

    func ended(on stream: Stream) {
        if state == .conversing { return endReflection(on: stream) }
        guard state == .receivingBody, let deframer = deframer.take() else { return }
        releaseCredit(on: stream)
        receivedNs = Clock.monotonicNs
        let isCompressed = deframer.isCompressed
        guard !isCompressed || isGzipAnnounced else {
            countOutcome(.requestsRefused)
            return answer(.error(.internal, Call.notAnnounced), on: stream)
        }
        do throws(MessageDeframer.Fault) {
            let payload = try deframer.finish()
            handOn(payload, isCompressed: isCompressed, on: stream)
        } catch {
            refuse(error, on: stream)
        }
    }

    func closed(errorCode: UInt32, on stream: Stream) {
        deframer = nil
        if isConversation { connection.conversationCount -= 1 }
        if state == .pending { connection.sink?.abandoned(streamID: stream.id) }
    }

    // MARK: Towards the sink and back

    private func handOn(
        _ payload: consuming OwnedBytes, isCompressed: Bool, on stream: Stream
    ) {
        switch head.route {
        case .export(let signal):
            handOn(payload, of: signal, isCompressed: isCompressed, on: stream)
        case .health(let method):
            withUnpacked(payload, isCompressed: isCompressed, on: stream) {
                answerHealth(method, $0, on: stream)
            }
        case .reflection, nil: preconditionFailure("answered otherwise, or rejected")
        }
    }

    private func handOn(
        _ payload: consuming OwnedBytes, of signal: Signal, isCompressed: Bool, on stream: Stream
    ) {
        state = .pending
        let message = ExportMessage(
            signal: signal, isCompressed: isCompressed, deadlineNs: deadlineNs, identity: identity,
            payload: payload)
        if let outcome = connection.sink?.received(
            message, streamID: stream.id, from: connection)
        {
            finish(outcome, on: stream)
        }
    }

    /// Shows the bytes of a small message as they were before the client packed them.
    private func withUnpacked(
        _ payload: consuming OwnedBytes, isCompressed: Bool, on stream: Stream,
        _ body: (ByteSlice) -> Void
    ) {
        guard isCompressed else { return body(payload.slice) }
        do throws(Inflater.Fault) {
            let inflated = try Inflater.inflate(
                payload.slice, limitBytes: messageSizeBytesMax, budget: connection.budget)
            body(inflated.slice)
        } catch .overBudget {
            finish(connection.overBudget, on: stream)
        } catch {
            answer(.error(.internal, "the message could not be unpacked"), on: stream)
        }
    }

    /// Whether messages may be flagged as packed.
    var isGzipAnnounced: Bool { head.encoding == .gzip }

    static let notAnnounced = "the message is flagged compressed, but grpc-encoding is not gzip"

    /// Sends the answer that belongs to `outcome`.
    func finish(_ outcome: Outcome, on stream: Stream) {
        guard state != .answered else { return }
        guard state != .streaming, state != .conversing else {
            return finishStreaming(.deadlineExceeded, "the deadline has passed", on: stream)
        }
        // Its deadline may come before its head is whole.
        if state == .receivingHead { countRequest() }
        countOutcome(outcome.requestCounter)
        if case .export(let signal)? = head.route, outcome.isAcknowledged {
            connection.ackLatency[signal].record(Clock.monotonicNs - receivedNs)
        }
        answer(Answer.of(outcome), on: stream)
    }

    /// A call without a deadline of its client's is served for as long as the client likes.
    func beginLasting(_ state: State) {
        self.state = state
        answeredNs = Clock.monotonicNs
        if head.timeout == .absent { deadlineNs = .max }
    }

    /// Ends an answer that was begun.
    func finishStreaming(_ code: StatusCode, _ message: String, on stream: Stream) {
        state = .answered
        answeredNs = Clock.monotonicNs
        Answer.end(code, message, on: stream, of: connection.session)
    }

    func answer(_ answer: Answer, on stream: Stream) {
        state = .answered
        answeredNs = Clock.monotonicNs
        deframer = nil
        releaseCredit(on: stream)
        answer.send(on: stream, of: connection.session)
    }

    private func refuse(_ fault: MessageDeframer.Fault, on stream: Stream) {
        if case .overBudget = fault { return finish(connection.overBudget, on: stream) }
        countOutcome(.requestsRefused)
        answer(fault.answer(limitBytes: messageSizeBytesMax), on: stream)
    }

    private var messageSizeBytesMax: Int {
        let configuredBytes = connection.settings.messageSizeBytesMax
        guard let route = head.route, !route.isExport else { return configuredBytes }
        return min(configuredBytes, HealthService.requestSizeBytesMax)
    }

    // MARK: Credit

    /// While memory is short the peer gets no new credit, so that it stops by itself.
    private func credit(_ bytes: Int, on stream: Stream) {
        guard connection.isMemoryShort || withheldBytes > 0 else {
            return connection.session.consume(bytes, on: stream)
        }
        if withheldBytes == 0 { withheldSinceNs = Clock.monotonicNs }
        withheldBytes += bytes
    }

    private func releaseCredit(on stream: Stream) {
        connection.session.consume(withheldBytes, on: stream)
        withheldBytes = 0
    }

    /// Lets time pass: deadlines, and credit that was withheld long enough.
    func tick(nowNs: UInt64, on stream: Stream) {
        if isUntaken(nowNs: nowNs, on: stream) {
            connection.counters.add(.answersUntaken)
            return connection.session.cancel(stream)
        }
        guard state != .answered else { return }
        if nowNs >= deadlineNs { return finish(.expired, on: stream) }
        if state == .streaming { return tellHealth(on: stream) }
        guard withheldBytes > 0 else { return }
        if !connection.isMemoryShort {
            releaseCredit(on: stream)
        } else if nowNs - withheldSinceNs >= connection.settings.withholdingNsMax {
            finish(connection.overBudget, on: stream)
        }
    }
}

extension Call {
    /// The client gives no window for an answer that it asked for.
    private func isUntaken(nowNs: UInt64, on stream: Stream) -> Bool {
        switch state {
        case .answered: break
        case .streaming, .conversing:
            if !stream.hasUnsentBody { answeredNs = nowNs }
        case .receivingHead, .receivingBody, .pending: return false
        }
        return nowNs > answeredNs + connection.settings.answerNsMax
    }
}

extension MessageDeframer.Fault {
    /// The status of each fault (gRPC, compression and status codes; sizes: OTLP specification).
    fileprivate func answer(limitBytes: Int) -> Answer {
        switch self {
        case .flag(let flag):
            .error(.internal, "the compression flag is \(flag); only 0 and 1 exist")
        case .tooLarge(let sizeBytes):
            .error(
                .resourceExhausted,
                "the message has \(sizeBytes) bytes; limits.request_bytes_max is \(limitBytes)")
        case .secondMessage:
            .error(.internal, "a unary call carries one message; more bytes follow it")
        case .missing:
            .error(.internal, "the call ended without a message")
        case .truncated:
            .error(.internal, "the call ended inside its message")
        case .overBudget:
            preconditionFailure("handled as a retry")
        }
    }
}

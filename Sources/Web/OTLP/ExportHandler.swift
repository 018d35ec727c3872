// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore
internal import NIOHTTP1

/// Serves the requests of an HTTP/1.1 connection one after the other, or the one of an HTTP/2
/// stream.
///
/// Bodies are copied into memory that is reserved chunk by chunk; while memory is short the channel
/// is not read from. Thread: the channel's loop; outcomes come back to it.
final class ExportHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum Transport { case http1, http2 }

    enum State {
        case awaitingHead
        case receivingBody
        /// The answer is known; it is sent once the rest of a small body is read.
        case refusing(HTTPAnswer, leftBytes: Int)
        /// Handed on; the outcome is awaited.
        case pending
        /// Answered before the request had ended: what still comes is thrown away.
        case lingering
        case closed
    }

    let service: OTLPService
    let transport: Transport
    private let loop: any EventLoop
    private let lane: Int
    private let judge: RequestJudge
    private let connection: OTLPConnection
    private(set) var context: ChannelHandlerContext?
    private(set) var state = State.awaitingHead

    // Of the request at hand.
    private var head: ExportHead?
    private var identity: Identity?
    private var responseHeaders = HTTPHeaders()
    private var isHEAD = false
    private var isKept = true
    private var body: OwnedBytes?
    private var cancellation: Cancellation?
    /// Tells the outcomes of earlier requests from that of this one.
    private var requestNumber = 0
    private var deadlineNs: UInt64 = 0
    private var receivedNs: UInt64 = 0
    private(set) var deadline = NIODeadline.distantFuture
    /// Since when memory is too short to read on.
    var pausedSince: NIODeadline?
    /// Whether the channel would have been read from meanwhile.
    var isReadHeld = false
    /// What still comes is not even read: it came in pieces that are too small.
    private var isDeaf = false
    // See the extension on time.
    var timer: Scheduled<Void>?
    var armedFor: NIODeadline?
    var due: NIODeadline?
    var hasHeadBegun = false

    init(
        _ service: OTLPService, _ connection: OTLPConnection, transport: Transport,
        loop: any EventLoop
    ) {
        self.service = service
        self.connection = connection
        self.transport = transport
        self.loop = loop
        lane = service.lanes.lane(of: loop)
        let receiver = service.receiver
        judge = RequestJudge(
            settings: service.settings, authenticator: receiver.authenticator,
            retryDelayMs: { receiver.retryDelayMs })
    }

    // MARK: ChannelDuplexHandler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        enter(.awaitingHead, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { ended() }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): received(head, context)
        case .body(let chunk): received(chunk, context)
        case .end: receivedEnd(context)
        }
    }

    func read(context: ChannelHandlerContext) {
        if isDeaf {
            return
        } else if pausedSince != nil {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard transport == .http1, let error = error as? HTTPParserError else {
            return context.close(promise: nil)
        }
        switch state {
        case .awaitingHead: break
        case .receivingBody: return refuseBody(context)
        case .refusing, .pending, .lingering, .closed: return context.close(promise: nil)
        }
        service.receiver.counters.add(.connectionsAborted)
        let answer =
            error == .headerOverflow
            ? HTTPAnswer.error(
                .requestHeaderFieldsTooLarge,
                "the header fields are larger than limits.header_list_bytes_max", .json)
            : HTTPAnswer.error(.badRequest, "this is not an HTTP/1.1 request", .json)
        isKept = false
        isHEAD = false
        send(answer, context)
        context.close(promise: nil)
    }

    /// What comes is not a body as its head announced it.
    private func refuseBody(_ context: ChannelHandlerContext) {
        guard let head else { preconditionFailure("a body without a head") }
        service.receiver.counters.add(.requestsRefused)
        isKept = false
        let problem = "the body is not what its transfer-encoding says"
        respond(.error(.badRequest, problem, head.encoding), isEnded: true, context)
    }

    // MARK: A request

    private func received(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        // What was read behind the last request of a connection is not served (RFC 9112 §9.6).
        guard case .awaitingHead = state else { return }
        requestNumber += 1
        isKept = transport == .http2 || head.isKeepAlive && !head.endsHTTP
        isHEAD = head.method == .HEAD
        responseHeaders = judge.originHeaders(head.headers)
        deadlineNs = Clock.monotonicNs + service.settings.deadlineNs
        deadline = loop.now + .nanoseconds(Int64(service.settings.deadlineNs))
        let verdict = judge.judge(head, certificate: connection.certificate) {
            connection.peer.description
        }
        switch verdict {
        case .preflight(let answer):
            responseHeaders = [:]
            refuse(answer, head, context)
        case .answer(let answer, let counter):
            service.receiver.counters.add(.requestsReceived)
            service.receiver.counters.add(counter)
            refuse(answer, head, context)
        case .accept(let accepted, let identity):
            service.receiver.counters.add(.requestsReceived)
            self.head = accepted
            self.identity = identity
            body = OwnedBytes(budget: service.receiver.budget)
            enter(.receivingBody, context)
            if accepted.expectsContinue { invite(context) }
        }
    }

    /// Tells a client that waits for it to send its body, or spares it that.
    private func invite(_ context: ChannelHandlerContext) {
        guard !isMemoryShort else { return finish(overBudget, context) }
        context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))),
            promise: nil)
    }

    /// Answers a request that is not served: after its body where that is small, so that the
    /// connection can be kept, else at once.
    private func refuse(
        _ answer: HTTPAnswer, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        let maxBytes = service.limits.discardedSizeBytesMax
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if head.headers.contains(name: "expect") || announced > maxBytes {
            return respond(answer, isEnded: false, context)
        }
        enter(.refusing(answer, leftBytes: maxBytes), context)
    }

    private func received(_ chunk: ByteBuffer, _ context: ChannelHandlerContext) {
        switch state {
        case .receivingBody:
            keep(chunk, context)
        case .refusing(let answer, let leftBytes):
            let rest = leftBytes - chunk.readableBytes
            guard rest >= 0 else { return respond(answer, isEnded: false, context) }
            state = .refusing(answer, leftBytes: rest)
        case .awaitingHead, .pending, .lingering, .closed:
            break
        }
    }

    private func keep(_ chunk: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let head else { preconditionFailure("a body without a head") }
        let limitBytes = service.settings.requestSizeBytesMax
        let heldBytes = body?.count ?? 0
        // A body of one piece may be as small as it is.
        guard heldBytes == 0 || isFair(chunk.readableBytes) else {
            service.receiver.counters.add(.abortedForSmallPieces)
            isDeaf = true
            finish(tooManyPieces, context)
            // Else what it goes on to send would wait to be read.
            if transport == .http2 { context.close(promise: nil) }
            return
        }
        let sizeBytes = heldBytes + chunk.readableBytes
        guard sizeBytes <= limitBytes else {
            service.receiver.counters.add(.requestsRefused)
            let answer = judge.tooLarge(sizeText: "has more bytes than it may", head.encoding)
            return respond(answer, isEnded: false, context)
        }
        // What is announced is all that comes.
        let capacityBytesMax = max(sizeBytes, head.contentLength ?? limitBytes)
        let isKept = unsafe chunk.withUnsafeReadableBytes { bytes in
            unsafe body?.append(ByteSlice(bytes), limitBytes: capacityBytesMax) ?? false
        }
        guard isKept else { return finish(overBudget, context) }
        bodyArrived(context)
    }

    /// Whether a piece of a body of so many bytes may come now.
    private func isFair(_ sizeBytes: Int) -> Bool {
        sizeBytes >= service.limits.smallPieceSizeBytes
            || connection.smallPieces.take(1, nowNs: Clock.monotonicNs) == nil
    }

    private var tooManyPieces: Outcome {
        .retry(
            afterMs: Limits.retryAfterMsMin,
            message: "the body comes in too many pieces of less than "
                + "\(service.limits.smallPieceSizeBytes) bytes")
    }

    private func receivedEnd(_ context: ChannelHandlerContext) {
        switch state {
        case .receivingBody: handOn(context)
        case .refusing(let answer, _): respond(answer, isEnded: true, context)
        case .lingering where transport == .http1: context.close(promise: nil)
        case .awaitingHead, .pending, .lingering, .closed: break
        }
    }

    private func handOn(_ context: ChannelHandlerContext) {
        guard let head, let payload = body.take() else {
            preconditionFailure("a body is received with its head")
        }
        stopPausing(context)
        receivedNs = Clock.monotonicNs
        enter(.pending, context)
        let cancellation = Cancellation()
        self.cancellation = cancellation
        let number = requestNumber
        let loop = self.loop
        let handler = NIOLoopBound(self, eventLoop: loop)
        service.receiver.receive(
            ExportMessage(
                signal: head.signal, encoding: head.encoding, isCompressed: head.isCompressed,
                deadlineNs: deadlineNs, identity: identity, payload: payload),
            lane: lane, allowance: connection.work, cancellation: cancellation
        ) { outcome in
            loop.execute { handler.value.settled(outcome, number) }
        }
    }

    private func settled(_ outcome: Outcome, _ number: Int) {
        guard case .pending = state, number == requestNumber, let context else {
            return service.receiver.counters.add(.answersWithoutStream)
        }
        finish(outcome, context)
    }

    // MARK: Answers

    /// Answers with an outcome, wherever the request is.
    func finish(_ outcome: Outcome, _ context: ChannelHandlerContext) {
        guard let head else { preconditionFailure("an outcome without a request") }
        service.receiver.counters.add(outcome.requestCounter)
        var isEnded = false
        if case .pending = state { isEnded = true }
        if outcome.isAcknowledged {
            service.receiver.acknowledged(
                head.signal, afterNs: Clock.monotonicNs - receivedNs, lane: lane)
        }
        respond(.of(outcome, head.signal, head.encoding), isEnded: isEnded, context)
    }

    /// Nobody waits for the outcome any more.
    func giveUp() { cancellation?.cancel() }

    var overBudget: Outcome {
        .retry(
            afterMs: service.receiver.retryDelayMs,
            message: "no memory is free for this request now")
    }

    var isMemoryShort: Bool {
        let budget = service.receiver.budget
        return budget.inUseBytes > budget.limitBytes / 100 * service.limits.memoryShortPercent
    }

    /// Sends the answer. Where the request has not ended, what still comes is thrown away.
    func respond(_ answer: HTTPAnswer, isEnded: Bool, _ context: ChannelHandlerContext) {
        body = nil
        head = nil
        identity = nil
        cancellation = nil
        stopPausing(context)
        if !isEnded, transport == .http1 { isKept = false }
        // Before the answer, whose end may bring in the next request.
        enter(isEnded ? (isKept ? .awaitingHead : .closed) : .lingering, context)
        let isLast = isEnded && !isKept
        send(answer, context)
        if isLast { context.close(promise: nil) }
    }

    private func send(_ answer: HTTPAnswer, _ context: ChannelHandlerContext) {
        var headers = responseHeaders
        headers.add(contentsOf: answer.headers)
        if let contentType = answer.contentType {
            headers.add(name: "content-type", value: contentType)
        }
        if answer.status != .noContent {
            headers.add(name: "content-length", value: String(answer.body.count))
        }
        if transport == .http1, !isKept { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !answer.body.isEmpty, !isHEAD {
            let buffer = context.channel.allocator.buffer(bytes: answer.body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    // MARK: The end

    /// The connection or stream is gone.
    private func ended() {
        guard context != nil else { return }
        context = nil
        state = .closed
        stopTimer()
        body = nil
        cancellation?.cancel()
        cancellation = nil
    }

    /// Goes on to `state`, and lets its time run.
    private func enter(_ state: State, _ context: ChannelHandlerContext) {
        self.state = state
        restartTimer(context)
    }
}

extension HTTPRequestHead {
    /// Whether what follows is no HTTP/1.1, if we agreed, which we never do: the decoder stops
    /// there in any case.
    fileprivate var endsHTTP: Bool { method == .CONNECT || headers.contains(name: "upgrade") }
}

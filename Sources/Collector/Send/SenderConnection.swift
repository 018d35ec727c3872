// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC
internal import HTTP2
internal import Socket

/// One connection of the sender: keeps requests in flight, sends again what may be sent again.
///
/// Retries as an OTLP exporter does: on the codes that the specification calls retryable and on a
/// lost connection, with backoff, until the request is given up. Thread: one.
final class SenderConnection {
    private final class Request {
        let planned: PlannedRequest
        let framed: [UInt8]
        var itemCount: Int { planned.itemCount }
        /// When it was to go out: later than that only because the daemon did not keep up, which
        /// is part of how long it took.
        let startNs: UInt64
        var notBeforeNs: UInt64 = 0
        var backoff = Backoff(minMs: 200, maxMs: 5_000)

        init(_ planned: PlannedRequest, framed: [UInt8]) {
            self.planned = planned
            self.framed = framed
            startNs = planned.dueNs ?? Clock.monotonicNs
        }
    }

    private let source: any RequestSource
    private let delivery: Delivery
    private var report = SendReport()
    private var waiting: [Request] = []
    private var inFlightCount = 0
    private var planned: PlannedRequest?
    private var isDrained = false
    private var client: ClientConnection?
    private var backoff = Backoff(minMs: 100, maxMs: 2_000)
    private let readBuffer = ReadBuffer()

    /// Retryable codes (OTLP specification, "Failures"); 8 is, where the server gives a delay.
    private static let retryableCodes: Set<Int> = [1, 4, 10, 11, 14, 15]
    private static let resourceExhausted = 8

    init(from source: any RequestSource) {
        self.source = source
        delivery = source.delivery
    }

    func run() -> SendReport {
        while hasWork {
            do throws(SystemError) {
                let socket = try DialedSocket(to: delivery.endpoint, context: delivery.context)
                report.wasConnected = true
                try serve(socket)
            } catch {
                loseConnection()
                // After what the loss made of requests in flight: it says why.
                report.lastError = error.description
                if error.isSecurityFailure { giveUp() }
            }
        }
        return report
    }

    private var hasWork: Bool { !waiting.isEmpty || inFlightCount > 0 || look() != nil }

    /// The request that comes next, which stays where it is.
    private func look() -> PlannedRequest? {
        if planned == nil, !isDrained {
            planned = source.next()
            isDrained = planned == nil
        }
        return planned
    }

    /// Exchanges bytes until all is done or the connection ends.
    private func serve(_ socket: borrowing DialedSocket) throws(SystemError) {
        var settings = HTTP2Settings()
        settings.streamWindowBytes = 1 << 20
        let client = ClientConnection(
            http2: settings, authority: delivery.endpoint.description,
            token: delivery.token, isSecure: delivery.context != nil)
        self.client = client
        while hasWork {
            startRequests(on: client)
            try flush(client, to: socket)
            // Full up, only an answer changes anything; else the next request may be due before.
            let isFull = inFlightCount >= delivery.inFlightCount
            let timeoutMs = isFull ? 1_000 : max(1, msUntilNextRequest())
            let count = try unsafe socket.receive(into: readBuffer.bytes, timeoutMs: timeoutMs)
            guard let count else { continue }
            let isAlive = count > 0 && feed(client, readBuffer.prefix(count))
            guard isAlive, client.session.isAlive else { return loseConnection() }
        }
        client.session.submitGoAway()
        try flush(client, to: socket)
    }

    private func feed(_ client: ClientConnection, _ input: ByteSlice) -> Bool {
        do throws(Session.Failure) {
            try client.session.receive(input)
            return true
        } catch {
            return false
        }
    }

    private func flush(
        _ client: ClientConnection, to socket: borrowing DialedSocket
    ) throws(SystemError) {
        while true {
            let output: ByteSlice?
            do throws(Session.Failure) { output = try client.session.nextOutput() } catch {
                throw SystemError("HTTP/2 session", "\(error)", code: 0)
            }
            guard let output else { return }
            try socket.sendAll(output)
        }
    }

    // MARK: Requests

    private func startRequests(on client: ClientConnection) {
        while inFlightCount < delivery.inFlightCount, let request = nextRequest() {
            start(request, on: client)
        }
    }

    private func nextRequest() -> Request? {
        let nowNs = Clock.monotonicNs
        if let index = waiting.firstIndex(where: { $0.notBeforeNs <= nowNs }) {
            return waiting.remove(at: index)
        }
        guard let planned = look(), SenderConnection.delayMs(until: planned.dueNs) == 0 else {
            return nil
        }
        return take(planned)
    }

    /// Takes up what comes next.
    private func take(_ planned: PlannedRequest) -> Request {
        self.planned = nil
        report.sentItemCount += planned.itemCount
        report.requestCount += 1
        return Request(
            planned,
            framed: ClientConnection.frame(
                planned.message(), isCompressed: delivery.isCompressed))
    }

    private static func delayMs(until dueNs: UInt64?) -> Int {
        let nowNs = Clock.monotonicNs
        guard let dueNs, dueNs > nowNs else { return 0 }
        return Int((dueNs - nowNs) / 1_000_000) + 1
    }

    private func start(_ request: Request, on client: ClientConnection) {
        let isStarted = client.export(
            request.planned.signal, framed: request.framed,
            isCompressed: delivery.isCompressed, timeoutMs: delivery.timeoutMs
        ) { [unowned self] answer in
            inFlightCount -= 1
            finish(request, with: answer)
        }
        guard isStarted else { return waiting.append(request) }
        inFlightCount += 1
        report.sentSizeBytes += request.framed.count
    }

    private func finish(_ request: Request, with answer: ClientAnswer) {
        if answer.statusCode == 0 {
            backoff.reset()
            let rejection = answer.rejection
            let rejectedCount = min(request.itemCount, rejection?.itemCount ?? 0)
            report.rejectedItemCount += rejectedCount
            report.acknowledgedItemCount += request.itemCount - rejectedCount
            report.latenciesNs.append(Clock.monotonicNs - request.startNs)
            source.note(
                .stored(rejectedCount: rejectedCount, reason: rejection?.message ?? ""),
                of: request.planned)
            return
        }
        report.lastError = answer.description
        retry(request, after: answer)
    }

    private func retry(_ request: Request, after answer: ClientAnswer) {
        // No status at all: the stream was reset or the connection went; unknown is not refused.
        let isRetryable =
            answer.statusCode.map { code in
                SenderConnection.retryableCodes.contains(code)
                    || code == SenderConnection.resourceExhausted && answer.retryDelayMs != nil
            } ?? true
        let ageMs = Int((Clock.monotonicNs - request.startNs) / 1_000_000)
        guard isRetryable, ageMs < delivery.giveUpAfterMs else {
            return fail(request, answer.description)
        }
        report.retryCount += 1
        // Not all at once, even where the server says when.
        let delayMs = (answer.retryDelayMs ?? 0) + request.backoff.nextDelayMs()
        request.notBeforeNs = Clock.monotonicNs + UInt64(delayMs) * 1_000_000
        waiting.append(request)
    }

    private func fail(_ request: Request, _ reason: String) {
        report.failedItemCount += request.itemCount
        source.note(.failed(reason: reason), of: request.planned)
    }

    /// Every call that was in flight ends as unknown, hence is sent again.
    private func loseConnection() {
        client?.session.abandonStreams()
        client = nil
        expireWaiting()
        if hasWork { WorkerThread.pause(ms: backoff.nextDelayMs()) }
    }

    /// Without a connection nobody answers, so time alone decides.
    private func expireWaiting() {
        if inFlightCount == 0, report.sentItemCount == 0, let planned = look() {
            // Nothing was ever sent: take one request up, so that time can run out for it.
            waiting.append(take(planned))
        }
        let nowNs = Clock.monotonicNs
        let limitNs = UInt64(delivery.giveUpAfterMs) * 1_000_000
        let expired = waiting.filter { nowNs - $0.startNs >= limitNs }
        guard !expired.isEmpty else { return }
        waiting.removeAll { nowNs - $0.startNs >= limitNs }
        for request in expired { fail(request, "nobody answers") }
        giveUpUnsent()
    }

    /// Nothing that is still to be sent will be.
    private func giveUp() {
        for request in waiting { fail(request, "nobody answers") }
        waiting = []
        giveUpUnsent()
    }

    /// What was not even tried is lost as well once the server stays away for that long.
    private func giveUpUnsent() {
        let itemCount = (planned?.itemCount ?? 0) + source.giveUp()
        planned = nil
        isDrained = true
        report.sentItemCount += itemCount
        report.failedItemCount += itemCount
    }

    private func msUntilNextRequest() -> Int {
        let nowNs = Clock.monotonicNs
        let retryMs = waiting.map {
            Int(($0.notBeforeNs &- min(nowNs, $0.notBeforeNs)) / 1_000_000) + 1
        }
        let rateMs = look().map { SenderConnection.delayMs(until: $0.dueNs) }
        return min(retryMs.min() ?? 1_000, rateMs ?? 1_000, 1_000)
    }
}

extension ClientAnswer {
    fileprivate var description: String {
        guard let statusCode else {
            return httpStatus == 0 ? "the stream was reset (\(resetCode))" : "HTTP \(httpStatus)"
        }
        return "grpc-status \(statusCode): \(statusMessage)"
    }
}

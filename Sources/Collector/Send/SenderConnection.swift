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
        let framed: [UInt8]
        let itemCount: Int
        /// When it was to go out: later than that only because the daemon did not keep up, which
        /// is part of how long it took.
        let startNs: UInt64
        var notBeforeNs: UInt64 = 0
        var backoff = Backoff(minMs: 200, maxMs: 5_000)

        init(framed: [UInt8], itemCount: Int, startNs: UInt64) {
            self.startNs = startNs
            self.framed = framed
            self.itemCount = itemCount
        }
    }

    private let sender: Sender
    private var report = SendReport()
    private var waiting: [Request] = []
    private var inFlightCount = 0
    private var nextRange: (firstSerial: Int, itemCount: Int)?
    private var client: ClientConnection?
    private var backoff = Backoff(minMs: 100, maxMs: 2_000)
    private let readBuffer = ReadBuffer()

    /// Retryable codes (OTLP specification, "Failures"); 8 is, where the server gives a delay.
    private static let retryableCodes: Set<Int> = [1, 4, 10, 11, 14, 15, 8]

    init(sender: Sender) { self.sender = sender }

    func run() -> SendReport {
        nextRange = sender.nextRange()
        while hasWork {
            do throws(SystemError) {
                let socket = try DialedSocket(
                    to: sender.options.endpoint, context: sender.options.context)
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

    private var hasWork: Bool { nextRange != nil || !waiting.isEmpty || inFlightCount > 0 }

    /// Exchanges bytes until all is done or the connection ends.
    private func serve(_ socket: borrowing DialedSocket) throws(SystemError) {
        var settings = HTTP2Settings()
        settings.streamWindowBytes = 1 << 20
        let client = ClientConnection(
            http2: settings, authority: sender.options.endpoint.description,
            token: sender.options.token, isSecure: sender.options.context != nil)
        self.client = client
        while hasWork {
            startRequests(on: client)
            try flush(client, to: socket)
            // Full up, only an answer changes anything; else the next request may be due before.
            let isFull = inFlightCount >= sender.options.inFlightCount
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
        while inFlightCount < sender.options.inFlightCount, let request = nextRequest() {
            start(request, on: client)
        }
    }

    private func nextRequest() -> Request? {
        let nowNs = Clock.monotonicNs
        if let index = waiting.firstIndex(where: { $0.notBeforeNs <= nowNs }) {
            return waiting.remove(at: index)
        }
        guard let range = nextRange, sender.delayMs(beforeSerial: range.firstSerial) == 0 else {
            return nil
        }
        nextRange = sender.nextRange()
        return makeRequest(firstSerial: range.firstSerial, itemCount: range.itemCount)
    }

    private func makeRequest(firstSerial: Int, itemCount: Int) -> Request {
        let options = sender.options
        var template = sender.templates[
            firstSerial / options.batchItemCount % sender.templates.count]
        if itemCount != template.itemCount {
            var source = TelemetryTemplates(
                seed: options.seed &+ UInt64(firstSerial), shape: options.shape)
            template = source.request(options.signal, itemCount: itemCount)
        }
        let message = template.instantiate(
            seed: options.seed, firstSerial: firstSerial, unixNs: Clock.unixNs)
        report.sentItemCount += itemCount
        report.requestCount += 1
        return Request(
            framed: ClientConnection.frame(message, isCompressed: options.isCompressed),
            itemCount: itemCount,
            startNs: sender.dueNs(ofSerial: firstSerial) ?? Clock.monotonicNs)
    }

    private func start(_ request: Request, on client: ClientConnection) {
        let isStarted = client.export(
            sender.options.signal, framed: request.framed,
            isCompressed: sender.options.isCompressed, timeoutMs: sender.options.timeoutMs
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
            let rejectedCount = min(request.itemCount, answer.rejectedItemCount)
            report.rejectedItemCount += rejectedCount
            report.acknowledgedItemCount += request.itemCount - rejectedCount
            report.latenciesNs.append(Clock.monotonicNs - request.startNs)
            sender.countAcknowledged(request.itemCount - rejectedCount)
            return
        }
        report.lastError = answer.description
        // No status at all: the stream was reset or the connection went; unknown is not refused.
        let isRetryable = answer.statusCode.map(SenderConnection.retryableCodes.contains) ?? true
        retry(request, isRetryable: isRetryable)
    }

    private func retry(_ request: Request, isRetryable: Bool) {
        let ageMs = Int((Clock.monotonicNs - request.startNs) / 1_000_000)
        guard isRetryable, ageMs < sender.options.giveUpAfterMs else {
            report.failedItemCount += request.itemCount
            return
        }
        report.retryCount += 1
        request.notBeforeNs =
            Clock.monotonicNs + UInt64(request.backoff.nextDelayMs()) * 1_000_000
        waiting.append(request)
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
        if inFlightCount == 0, report.sentItemCount == 0, nextRange != nil {
            // Nothing was ever sent: take one request up, so that time can run out for it.
            if let range = nextRange {
                nextRange = sender.nextRange()
                waiting.append(
                    makeRequest(firstSerial: range.firstSerial, itemCount: range.itemCount))
            }
        }
        let nowNs = Clock.monotonicNs
        let limitNs = UInt64(sender.options.giveUpAfterMs) * 1_000_000
        let expired = waiting.filter { nowNs - $0.startNs >= limitNs }
        guard !expired.isEmpty else { return }
        waiting.removeAll { nowNs - $0.startNs >= limitNs }
        report.failedItemCount += expired.reduce(0) { $0 + $1.itemCount }
        giveUpUnsent()
    }

    /// Nothing that is still to be sent will be.
    private func giveUp() {
        report.failedItemCount += waiting.reduce(0) { $0 + $1.itemCount }
        waiting = []
        giveUpUnsent()
    }

    /// What was not even tried is lost as well once the server stays away for that long.
    private func giveUpUnsent() {
        while let range = nextRange {
            report.sentItemCount += range.itemCount
            report.failedItemCount += range.itemCount
            nextRange = sender.nextRange()
        }
    }

    private func msUntilNextRequest() -> Int {
        let nowNs = Clock.monotonicNs
        let retryMs = waiting.map {
            Int(($0.notBeforeNs &- min(nowNs, $0.notBeforeNs)) / 1_000_000) + 1
        }
        let rateMs = nextRange.map { sender.delayMs(beforeSerial: $0.firstSerial) }
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

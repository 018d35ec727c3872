// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import GRPC
internal import Ring
internal import Rows

/// A thread that decodes the requests that would hold up an event loop.
///
/// One at a time; the others wait in a short queue whose content the memory budget already covers.
/// Thread: `enqueue` any.
final class LargeDecoder: @unchecked Sendable {
    /// A class, so that an array can hold what cannot be copied.
    private final class Job {
        let message: ExportMessage
        let cancellation: Cancellation
        private var ticket: AckTicket?

        init(
            message: consuming ExportMessage, ticket: consuming AckTicket,
            cancellation: Cancellation
        ) {
            self.message = message
            self.cancellation = cancellation
            self.ticket = consume ticket
        }

        func takeTicket() -> AckTicket {
            guard let ticket = ticket.take() else { preconditionFailure("taken twice") }
            return ticket
        }
    }

    private let intake: Intake
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var jobs: [Job] = []
    private var isClosed = false
    // Set before the first `enqueue`, read after the last.
    private var thread: WorkerThread?

    private static let queuedCountMax = 64

    init(intake: Intake) { self.intake = intake }

    func start() {
        thread = WorkerThread(name: "decode", stackSizeBytes: Limits.decodeStackSizeBytes) {
            [self] in
            var digest = ExportDigest()
            while let job = nextJob() { process(job, &digest) }
        }
    }

    /// Takes `message` over; a full queue tells the client to come back.
    func enqueue(
        _ message: consuming ExportMessage, ticket: consuming AckTicket, cancellation: Cancellation
    ) {
        let job = Job(message: message, ticket: ticket, cancellation: cancellation)
        let isQueued = monitor.withLock {
            guard jobs.count < LargeDecoder.queuedCountMax, !isClosed else { return false }
            jobs.append(job)
            monitor.signal()
            return true
        }
        guard !isQueued else { return }
        job.takeTicket().settle(
            .retry(
                afterMs: intake.retryHint.delayMs,
                message: "too many large requests are being decoded"))
    }

    /// Finishes what is queued, then ends the thread.
    func closeAndJoin() {
        monitor.withLock {
            isClosed = true
            monitor.broadcast()
        }
        thread?.join()
    }

    private func nextJob() -> Job? {
        monitor.lock()
        defer { monitor.unlock() }
        while jobs.isEmpty {
            if isClosed { return nil }
            monitor.wait()
        }
        return jobs.removeFirst()
    }

    private func process(_ job: Job, _ digest: inout ExportDigest) {
        let ticket = job.takeTicket()
        let deadlineNs = job.message.deadlineNs
        guard Clock.monotonicNs < deadlineNs, !job.cancellation.isCancelled else {
            return ticket.settle(.expired)
        }
        do throws(Intake.Failure) {
            let decoded = try intake.decode(job.message, digest: &digest)
            guard decoded.export.itemCount > 0 else { return ticket.settle(.accepted) }
            intake.push(
                decoded, deadlineNs: deadlineNs, ticket: ticket, cancellation: job.cancellation)
        } catch {
            guard case .outcome(let outcome) = error else {
                preconditionFailure("the decoder thread has no size limit of its own")
            }
            ticket.settle(outcome)
        }
    }
}

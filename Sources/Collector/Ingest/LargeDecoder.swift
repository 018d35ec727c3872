// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import GRPC
internal import Ring
internal import Rows

/// A thread that decodes the requests that would hold up an event loop: those that are large, and
/// those of connections that have spent their allowance there.
///
/// One at a time; the others wait in a queue whose content the memory budget already covers, and in
/// which connections take turns. Thread: `enqueue` any.
final class LargeDecoder: @unchecked Sendable {
    /// A class, so that an array can hold what cannot be copied.
    private final class Job {
        let message: ExportMessage
        /// Kept, because the queue knows it by its place in memory.
        private let connection: WorkAllowance
        let cancellation: Cancellation
        private var ticket: AckTicket?

        init(
            message: consuming ExportMessage, connection: WorkAllowance,
            ticket: consuming AckTicket, cancellation: Cancellation
        ) {
            self.message = message
            self.connection = connection
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
    private var jobs = FairQueue<ObjectIdentifier, Job>(countMax: queuedCountMax)
    private var isClosed = false
    // Set before the first `enqueue`, read after the last.
    private var thread: WorkerThread?

    private static let queuedCountMax = 1_024

    init(intake: Intake) { self.intake = intake }

    func start() {
        thread = WorkerThread(name: "decode", stackSizeBytes: Limits.decodeStackSizeBytes) {
            [self] in
            var digest = ExportDigest()
            while let job = nextJob() { process(job, &digest) }
        }
    }

    /// Takes `message` over. A full queue tells a client to come back: that of the connection with
    /// most requests in it.
    func enqueue(
        _ message: consuming ExportMessage, from connection: WorkAllowance,
        ticket: consuming AckTicket, cancellation: Cancellation
    ) {
        let job = Job(
            message: message, connection: connection, ticket: ticket, cancellation: cancellation)
        let displaced = monitor.withLock { () -> Job? in
            guard !isClosed else { return job }
            defer { monitor.signal() }
            return jobs.push(job, from: ObjectIdentifier(connection))
        }
        displaced?.takeTicket().settle(
            .retry(
                afterMs: intake.retryHint.delayMs,
                message: "too many requests wait to be decoded"))
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
        while true {
            if let job = jobs.pop() { return job }
            if isClosed { return nil }
            monitor.wait()
        }
    }

    private func process(_ job: Job, _ digest: inout ExportDigest) {
        let ticket = job.takeTicket()
        let deadlineNs = job.message.deadlineNs
        guard Clock.monotonicNs < deadlineNs, !job.cancellation.isCancelled else {
            return ticket.settle(.expired)
        }
        // What was taken since it was put into the queue may have been more than the quota.
        if let outcome = Charge.owed(job.message) { return ticket.settle(outcome) }
        do throws(Intake.Failure) {
            let decoded = try intake.decode(job.message, digest: &digest)
            guard decoded.export.itemCount > 0 else {
                Charge.work(job.message, sizeBytes: decoded.bodySizeBytes)
                return ticket.settle(.accepted)
            }
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

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import GRPC
internal import Ring
internal import Rows

/// Turns messages off the wire into exports in the ring: inflate, decode, push.
///
/// Shared by all loops and the decoder thread; holds no state of its own. Thread: any.
final class Intake: Sendable {
    let budget: MemoryBudget
    let counters: Counters
    let ring: BoundedRing
    let retryHint: RetryHint
    /// Hears of exports that are acknowledged as soon as they are in the ring; nil where their
    /// clients wait for more.
    private let bufferLedger: AckLedger?
    private let committed: CommittedExports
    let losses: LossNotes
    private let messageSizeBytesMax: Int
    private let decodeLimits: DecodeLimits
    private let tenantAttribute: String

    init(
        budget: MemoryBudget, counters: Counters, ring: BoundedRing, retryHint: RetryHint,
        bufferLedger: AckLedger?, committed: CommittedExports, losses: LossNotes,
        messageSizeBytesMax: Int, decodeLimits: DecodeLimits, tenantAttribute: String
    ) {
        self.budget = budget
        self.counters = counters
        self.ring = ring
        self.retryHint = retryHint
        self.bufferLedger = bufferLedger
        self.committed = committed
        self.losses = losses
        self.messageSizeBytesMax = messageSizeBytesMax
        self.decodeLimits = decodeLimits
        self.tenantAttribute = tenantAttribute
    }

    /// Why no export came out.
    enum Failure: Error {
        case outcome(Outcome)
        /// More work than a loop should do in one turn; nothing was kept of the attempt.
        case tooLargeForLoop
    }

    /// A message decoded, and what it is known by.
    struct Decoded: ~Copyable {
        var export: Export
        let fingerprint: Fingerprint
        /// Who sent it; nil where nobody is asked.
        let identity: Identity?
        /// Bytes of the message, inflated.
        let bodySizeBytes: Int
    }

    /// Decodes `message` if that is little work and `allowance` has some left, else throws
    /// `tooLargeForLoop`.
    func decodeInline(
        _ message: borrowing ExportMessage, allowance: WorkAllowance, digest: inout ExportDigest
    ) throws(Failure) -> Decoded {
        let bodySizeBytesMax = min(Limits.inlineDecodeSizeBytesMax, messageSizeBytesMax)
        guard message.payload.count <= bodySizeBytesMax,
            !message.isCompressed
                || Inflater.announcedSizeBytes(of: message.payload.slice) <= bodySizeBytesMax,
            !allowance.isSpent(nowNs: Clock.monotonicNs)
        else { throw .tooLargeForLoop }
        var work = DecodeWork(
            bodySizeBytesMax: bodySizeBytesMax,
            unpackedSizeBytesMax: Limits.inlineUnpackedSizeBytesMax)
        defer {
            allowance.charge(
                receivedBytes: message.payload.count, madeBytes: work.madeBytes,
                nowNs: Clock.monotonicNs)
        }
        return try decode(message, work: &work, digest: &digest)
    }

    /// Decodes `message`, whatever the work.
    func decode(
        _ message: borrowing ExportMessage, digest: inout ExportDigest
    ) throws(Failure) -> Decoded {
        var work = DecodeWork(bodySizeBytesMax: messageSizeBytesMax, unpackedSizeBytesMax: .max)
        return try decode(message, work: &work, digest: &digest)
    }

    /// Puts an export into the ring; the ticket hears of it when that fails, and of success when
    /// the export is known to be committed.
    func push(
        _ decoded: consuming Decoded, deadlineNs: UInt64, ticket: consuming AckTicket,
        cancellation: Cancellation
    ) {
        let fingerprint = decoded.fingerprint
        let (outcome, charge) = charge(for: decoded)
        if let outcome { return ticket.settle(outcome, items: decoded.export.items) }
        guard let bufferLedger else {
            let pending = PendingExport(
                export: decoded.export, fingerprint: fingerprint, ticket: ticket,
                cancellation: cancellation, deadlineNs: deadlineNs, arrivalUnixNs: Clock.unixNs,
                charge: charge)
            return queue(pending)
        }
        let items = decoded.export.items
        let pending = PendingExport(
            export: decoded.export, fingerprint: fingerprint,
            ticket: bufferLedger.open(ticket.address), cancellation: Cancellation(),
            deadlineNs: .max, arrivalUnixNs: Clock.unixNs)
        if isCommitted(pending) {
            pending.settle(.accepted)
            ticket.settle(.accepted, items: items)
        } else if let refused = ring.tryPush(pending) {
            losses.refused(refused)
            charge?.undo()
            // Nothing was promised, so nothing is lost.
            refused.settle(.accepted)
            ticket.settle(ringIsFull, items: items)
        } else {
            ticket.settle(.accepted, items: items)
        }
    }

    /// Pushes `pending`, whose client waits for its commit.
    private func queue(_ pending: consuming PendingExport) {
        if isCommitted(pending) { return pending.settle(.accepted) }
        guard let refused = ring.tryPush(pending) else { return }
        losses.refused(refused)
        #if DEBUG
        if TestBreak.isOn(.ackWhenFull) { return refused.settle(.accepted) }
        #endif
        refused.settle(ringIsFull)
    }

    /// Whether this daemon saw the export committed lately; counted.
    private func isCommitted(_ pending: borrowing PendingExport) -> Bool {
        guard isCommitted(pending.fingerprint) else {
            return false
        }
        losses.deduplicated(pending)
        return true
    }

    func isCommitted(_ fingerprint: Fingerprint) -> Bool {
        committed.contains(fingerprint, nowNs: Clock.monotonicNs)
    }

    private var ringIsFull: Outcome {
        .retry(afterMs: retryHint.delayMs, message: "the queue to the database is full")
    }

    /// What is refused is charged for as well: it was the same work.
    private func decode(
        _ message: borrowing ExportMessage, work: inout DecodeWork, digest: inout ExportDigest
    ) throws(Failure) -> Decoded {
        do throws(Failure) {
            guard message.isCompressed else {
                return try decode(message.payload.slice, of: message, work: &work, digest: &digest)
            }
            let inflated = try inflate(message, work: &work)
            return try decode(
                inflated.slice, of: message, inflatedBytes: inflated.capacityBytes, work: &work,
                digest: &digest)
        } catch {
            if case .outcome(.refused) = error {
                Charge.work(message, sizeBytes: max(message.payload.count, work.madeBytes))
            }
            throw error
        }
    }

    /// `inflatedBytes` is what `body` holds of the budget beside the message.
    private func decode(
        _ body: ByteSlice, of message: borrowing ExportMessage, inflatedBytes: Int = 0,
        work: inout DecodeWork, digest: inout ExportDigest
    ) throws(Failure) -> Decoded {
        let heldBytes = message.payload.capacityBytes + inflatedBytes
        guard message.encoding == .json else {
            return try decode(
                body, of: message, heldBytes: heldBytes, work: &work, digest: &digest)
        }
        let wire: WireBuffer
        let roomBytes = budget.limitBytes - heldBytes
        do throws(JSONError) {
            wire = try JSONTranscoder.transcode(
                body, signal: message.signal, limits: decodeLimits,
                sizeBytesMax: min(work.bodySizeBytesMax, roomBytes), budget: budget)
        } catch {
            switch error {
            case .refused(let refusal): throw .outcome(.refused(refusal))
            case .tooLarge where roomBytes < work.bodySizeBytesMax:
                throw .outcome(.refused(.beyond(budget)))
            case .tooLarge where work.bodySizeBytesMax < messageSizeBytesMax:
                throw .tooLargeForLoop
            case .tooLarge:
                throw .outcome(
                    .refused(
                        Refusal(
                            .tooLarge,
                            "the request has more bytes as protobuf than "
                                + "limits.request_bytes_max, \(messageSizeBytesMax)")))
            case .overBudget: throw .outcome(overBudget)
            }
        }
        work.madeBytes += wire.slice.count
        return try decode(
            wire.slice, of: message, heldBytes: heldBytes + wire.capacityBytes, work: &work,
            digest: &digest)
    }

    private func inflate(
        _ message: borrowing ExportMessage, work: inout DecodeWork
    ) throws(Failure) -> OwnedBytes {
        let limitBytes = work.bodySizeBytesMax
        // One byte less: that much more is taken, to see that there is no more.
        let roomBytes = budget.limitBytes - message.payload.capacityBytes - 1
        do throws(Inflater.Fault) {
            return try Inflater.inflate(
                message.payload.slice, limitBytes: min(limitBytes, roomBytes), budget: budget,
                producedBytes: &work.madeBytes)
        } catch {
            switch error {
            case .tooLarge where roomBytes < limitBytes:
                throw .outcome(.refused(.beyond(budget)))
            case .tooLarge where limitBytes < messageSizeBytesMax: throw .tooLargeForLoop
            case .tooLarge:
                throw .outcome(
                    .refused(
                        Refusal(
                            .tooLarge,
                            "the message inflates to more than limits.request_bytes_max, "
                                + "\(limitBytes) bytes")))
            case .corrupt:
                throw .outcome(.refused(Refusal(.corruptEncoding, "the message is not valid gzip")))
            case .overBudget: throw .outcome(overBudget)
            }
        }
    }

    private func decode(
        _ body: ByteSlice, of message: borrowing ExportMessage, heldBytes: Int,
        work: inout DecodeWork, digest: inout ExportDigest
    ) throws(Failure) -> Decoded {
        let signal = message.signal
        let tenant = message.identity?.tenantBytes ?? []
        do throws(DecodeError) {
            var export = try Decoder.decode(
                signal: signal, body: body, limits: work.limits(decodeLimits), budget: budget,
                heldBytes: heldBytes)
            work.madeBytes += export.arenaSizeBytes
            if !tenant.isEmpty {
                try export.stamp(
                    ResourceStamp(key: tenantAttribute, value: tenant), limits: decodeLimits)
            }
            counters.add(signal.receivedCounter, export.itemCount)
            let fingerprint = unsafe tenant.withUnsafeBytes {
                unsafe digest.fingerprint(signal: signal, tenant: ByteSlice($0), body: body)
            }
            return Decoded(
                export: export, fingerprint: fingerprint, identity: message.identity,
                bodySizeBytes: body.count)
        } catch {
            switch error {
            case .refused(let refusal):
                guard refusal.code != .tooLarge || !work.isBelow(decodeLimits) else {
                    throw .tooLargeForLoop
                }
                throw .outcome(.refused(refusal))
            case .overBudget: throw .outcome(overBudget)
            }
        }
    }

    private var overBudget: Outcome {
        #if DEBUG
        if TestBreak.isOn(.ackWhenFull) { return .accepted }
        #endif
        return .retry(
            afterMs: retryHint.delayMs, message: "no memory is free for this request now")
    }
}

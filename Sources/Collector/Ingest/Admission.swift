// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Ring
internal import Rows

/// The way of a message into the ring, the same for whatever protocol brought it.
///
/// Thread: any.
struct Admission: Sendable {
    let intake: Intake
    let largeDecoder: LargeDecoder

    /// Decodes `message` here where that is little work and `allowance`, its connection's, has
    /// some left; and elsewhere where it is much.
    ///
    /// A sender that owes something for its quota has only little work done for it.
    /// Returns the outcome at once, or nil when the ticket that `ticket` opens will hear of it;
    /// `cancellation` is asked for in that case only.
    func take(
        _ message: consuming ExportMessage, allowance: WorkAllowance, digest: inout ExportDigest,
        ticket: () -> AckTicket, cancellation: () -> Cancellation
    ) -> Outcome? {
        let deadlineNs = message.deadlineNs
        do throws(Intake.Failure) {
            let decoded = try intake.decodeInline(
                message, allowance: allowance, digest: &digest)
            guard decoded.export.itemCount > 0 else {
                Charge.work(message, sizeBytes: decoded.bodySizeBytes)
                return .accepted
            }
            intake.push(
                decoded, deadlineNs: deadlineNs, ticket: ticket(), cancellation: cancellation())
            #if DEBUG
            if TestBreak.isOn(.ackBeforeCommit) { return .accepted }
            #endif
            return nil
        } catch {
            switch error {
            case .outcome(let outcome): return outcome
            case .tooLargeForLoop:
                if let outcome = Charge.owed(message) { return outcome }
                largeDecoder.enqueue(
                    message, from: allowance, ticket: ticket(), cancellation: cancellation())
                return nil
            }
        }
    }
}

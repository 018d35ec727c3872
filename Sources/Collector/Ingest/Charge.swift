// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// What one export costs of the quota of its token.
struct Charge {
    private let quota: TokenQuota
    private let itemCount: Int
    private let sizeBytes: Int

    /// Not more often, whatever the rate.
    private static let waitMsMin = 100

    /// Nil where there is no quota.
    init?(_ decoded: borrowing Intake.Decoded) {
        guard let quota = decoded.identity?.quota, !quota.isUnlimited else { return nil }
        self.quota = quota
        itemCount = decoded.export.itemCount
        sizeBytes = decoded.bodySizeBytes
    }

    /// Nil when it is granted, else what the client is told.
    func take(nowNs: UInt64) -> Outcome? {
        quota.take(itemCount: itemCount, sizeBytes: sizeBytes, nowNs: nowNs)
            .map { Charge.throttled(quota, waitNs: $0) }
    }

    /// The export was not stored after all.
    func undo() { quota.giveBack(itemCount: itemCount, sizeBytes: sizeBytes) }

    /// What a client is told whose message is more work than it may have done while its token owes
    /// something; nil where nothing is owed. How many items it has is then not known.
    static func owed(_ message: borrowing ExportMessage) -> Outcome? {
        guard let quota = message.identity?.quota, !quota.isUnlimited,
            let waitNs = quota.waitNs(nowNs: Clock.monotonicNs)
        else { return nil }
        return throttled(quota, waitNs: waitNs)
    }

    /// Charges for a message that was refused for what is in it, and took the work of `sizeBytes`.
    static func refused(_ message: borrowing ExportMessage, sizeBytes: Int) {
        message.identity?.quota.bytes?.charge(sizeBytes, nowNs: Clock.monotonicNs)
    }

    private static func throttled(_ quota: TokenQuota, waitNs: UInt64) -> Outcome {
        let waitMs = Int(min(waitNs, 3_600_000_000_000) / 1_000_000) + 1
        let limits = [
            quota.items.map { "\($0.perSecond) items" },
            quota.bytes.map { "\($0.perSecond) bytes" },
        ]
        return .throttled(
            // Longer than SDKs wait, they would drop it; so they ask again.
            afterMs: min(max(waitMs, Charge.waitMsMin), Limits.retryAfterMsMax),
            message: "this token may send \(limits.compactMap(\.self).joined(separator: " and ")) "
                + "per second")
    }
}

extension Intake {
    /// Charges for an export, unless this daemon knows that it is committed: what is refused is
    /// counted.
    ///
    /// After decoding, although that costs, so that the ledger says how many items were refused.
    func take(_ charge: Charge?, for decoded: borrowing Decoded) -> Outcome? {
        guard let charge, !isCommitted(decoded.fingerprint),
            let outcome = charge.take(nowNs: Clock.monotonicNs)
        else { return nil }
        losses.refused(decoded.export, arrivalUnixNs: Clock.unixNs)
        return outcome
    }
}

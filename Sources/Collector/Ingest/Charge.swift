// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// What messages cost of the quota of their token, and what a client is told that owes something.
enum Charge {
    /// Not more often, whatever the rate.
    private static let waitMsMin = 100

    /// What a client is told whose message is more work than it may have done while its token owes
    /// something; nil where nothing is owed. How many items it has is then not known.
    static func owed(_ message: borrowing ExportMessage) -> Outcome? {
        guard let quota = message.identity?.quota, !quota.isUnlimited,
            let waitNs = quota.waitNs(nowNs: Clock.monotonicNs)
        else { return nil }
        return throttled(quota, waitNs: waitNs)
    }

    /// Charges for a message that nothing is stored of, for what is in it or because there is
    /// nothing, and that took the work of `sizeBytes`.
    static func work(_ message: borrowing ExportMessage, sizeBytes: Int) {
        message.identity?.quota.bytes?.charge(sizeBytes, nowNs: Clock.monotonicNs)
    }

    fileprivate static func throttled(_ quota: TokenQuota, waitNs: UInt64) -> Outcome {
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
    /// counted, and told in `outcome`. `charge` is what has to be given back if the export is not
    /// stored after all; nil where there is no quota.
    ///
    /// After decoding, although that costs, so that the ledger says how many items were refused.
    func charge(for decoded: borrowing Decoded) -> (outcome: Outcome?, charge: QuotaCharge?) {
        guard let quota = decoded.identity?.quota, !quota.isUnlimited,
            !isCommitted(decoded.fingerprint)
        else { return (nil, nil) }
        let charge = QuotaCharge(
            quota, itemCount: decoded.export.itemCount, sizeBytes: decoded.bodySizeBytes)
        guard let waitNs = charge.take(nowNs: Clock.monotonicNs) else { return (nil, charge) }
        losses.refused(decoded.export, arrivalUnixNs: Clock.unixNs)
        return (Charge.throttled(quota, waitNs: waitNs), nil)
    }
}

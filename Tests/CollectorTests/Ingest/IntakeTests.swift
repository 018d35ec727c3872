// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import GRPC
import OTLPFixtures
import Ring
import Rows
import Testing

@testable import Collector

// Goal: a loop does little work for one message and little for one connection over time, and who
// owes something for its quota cannot have more done. Method: messages on both sides of each limit,
// decoded as a loop would.

@Suite struct IntakeTests {
    private enum Result: Equatable {
        case decoded
        case elsewhere
        case refused(Refusal.Code)
        case other
    }

    private static let requestSizeBytesMax = 64 << 20
    private let budget = MemoryBudget(limitBytes: 256 << 20)
    private let counters = Counters()
    private let intake: Intake

    init() {
        let ring = BoundedRing(slotCountMax: 8)
        intake = Intake(
            budget: budget, counters: counters, ring: ring,
            retryHint: RetryHint(ring: ring, counters: counters), bufferLedger: nil,
            committed: CommittedExports(windowNs: 0),
            losses: LossNotes(tenantAttribute: "tenant", counters: counters),
            messageSizeBytesMax: IntakeTests.requestSizeBytesMax,
            decodeLimits: DecodeLimits(unpackedSizeBytesMax: 160 << 20), tenantAttribute: "tenant")
    }

    private func message(
        _ body: [UInt8], isCompressed: Bool = false, quota: TokenQuota? = nil
    ) -> ExportMessage {
        let wire = isCompressed ? gzip(body) : body
        var payload = OwnedBytes(budget: budget)
        unsafe wire.withUnsafeBytes {
            let isKept = unsafe payload.append(ByteSlice($0), limitBytes: wire.count)
            #expect(isKept)
        }
        return ExportMessage(
            signal: .traces, isCompressed: isCompressed, deadlineNs: .max,
            identity: quota.map { Identity(tokenID: 1, scopes: .ingest, quota: $0) },
            payload: payload)
    }

    private func gzip(_ body: [UInt8]) -> [UInt8] {
        Array(ClientConnection.frame(body, isCompressed: true)[5...])
    }

    private func decode(
        _ message: consuming ExportMessage, _ allowance: WorkAllowance = WorkAllowance()
    ) -> Result {
        var digest = ExportDigest()
        do throws(Intake.Failure) {
            _ = try intake.decodeInline(message, allowance: allowance, digest: &digest)
            return .decoded
        } catch {
            switch error {
            case .tooLargeForLoop: return .elsewhere
            case .outcome(.refused(let refusal)): return .refused(refusal.code)
            case .outcome: return .other
            }
        }
    }

    /// A request whose one span has a name of so many bytes.
    private func named(sizeBytes: Int) -> [UInt8] {
        let request = WireWriter { writer in
            writer.message(1) { resource in
                resource.message(2) { scope in
                    scope.message(2) { $0.text(5, String(repeating: "a", count: sizeBytes)) }
                }
            }
        }
        return request.bytes
    }

    /// A request of so many spans in which nothing is.
    private func empty(count: Int) -> [UInt8] {
        let request = WireWriter { writer in
            writer.message(1) { resource in
                resource.message(2) { scope in
                    for _ in 0..<count { scope.raw([0x12, 0]) }
                }
            }
        }
        return request.bytes
    }

    @Test func theSizeOfABodyDecidesWhere() {
        let sizeBytes = Limits.inlineDecodeSizeBytesMax
        let (below, above) = (named(sizeBytes: sizeBytes - 100), named(sizeBytes: sizeBytes))
        for isCompressed in [false, true] {
            #expect(decode(message(below, isCompressed: isCompressed)) == .decoded)
            #expect(decode(message(above, isCompressed: isCompressed)) == .elsewhere)
        }
        #expect(budget.inUseBytes == 0)
    }

    @Test func aFalseAnnouncementIsFoundWhileUnpacking() {
        let large = gzip([UInt8](repeating: 0, count: Limits.inlineDecodeSizeBytesMax + 1))
        // Of two members the last is announced, and is small.
        var members = OwnedBytes(budget: budget)
        for part in [large, gzip([0])] {
            unsafe part.withUnsafeBytes {
                let isKept = unsafe members.append(ByteSlice($0), limitBytes: 1 << 20)
                #expect(isKept)
            }
        }
        let allowance = WorkAllowance()
        let message = ExportMessage(
            signal: .traces, isCompressed: true, deadlineNs: .max, identity: nil, payload: members)
        #expect(decode(message, allowance) == .elsewhere)
    }

    @Test func whatUnpacksToMuchIsUnpackedElsewhere() {
        #expect(decode(message(empty(count: 1_000))) == .decoded)
        #expect(decode(message(empty(count: 100_000))) == .elsewhere)
        #expect(budget.inUseBytes == 0)
    }

    @Test func aConnectionThatMakesMuchOfLittleIsSentElsewhere() {
        let body = named(sizeBytes: Limits.inlineDecodeSizeBytesMax - 100)
        let allowance = WorkAllowance()
        let beforeNs = Clock.monotonicNs
        #expect(decode(message(body, isCompressed: true), allowance) == .decoded)
        #expect(allowance.isSpent(nowNs: beforeNs))
        // Minutes of debt, so that the next does not depend on time.
        allowance.charge(receivedBytes: 0, madeBytes: 8 << 30, nowNs: beforeNs)
        #expect(decode(message(named(sizeBytes: 10)), allowance) == .elsewhere)
        // Others have their own.
        #expect(decode(message(named(sizeBytes: 10))) == .decoded)
        #expect(budget.inUseBytes == 0)
    }

    @Test func aConnectionThatSendsWhatItMeansIsNot() {
        let allowance = WorkAllowance()
        let beforeNs = Clock.monotonicNs
        let body = named(sizeBytes: Limits.inlineDecodeSizeBytesMax - 100)
        for _ in 0..<5 { #expect(decode(message(body), allowance) == .decoded) }
        #expect(!allowance.isSpent(nowNs: beforeNs))
    }

    @Test func whatIsRefusedIsChargedToTheToken() {
        let nowNs = Clock.monotonicNs
        let quota = TokenQuota(itemsPerSecond: nil, bytesPerSecond: 1_000)
        let notOTLP = [UInt8](repeating: 0xff, count: 400_000)
        let message = message(notOTLP, isCompressed: true, quota: quota)
        #expect(Charge.owed(message) == nil)
        #expect(decode(message) == .refused(.invalidArgument))
        // The bytes that it was inflated to.
        #expect((quota.waitNs(nowNs: nowNs) ?? 0) >= 398_000_000_000)
        let next = self.message(named(sizeBytes: 10), quota: quota)
        guard case .throttled(let afterMs, _)? = Charge.owed(next) else {
            Issue.record("nothing is owed")
            return
        }
        #expect(afterMs == Limits.retryAfterMsMax)
    }

    @Test func whoHasNoQuotaOwesNothing() {
        let unlimited = TokenQuota(itemsPerSecond: nil, bytesPerSecond: nil)
        #expect(Charge.owed(message([], quota: unlimited)) == nil)
        #expect(Charge.owed(message([])) == nil)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Synchronization

/// Whether the database takes batches: one opinion for all writers, out of what each of them saw.
///
/// Closed, everyone may try. Several failures in a row open it; then one attempt at a time is let
/// through, after delays that grow, until one works. Time is given by the caller.
/// Thread: any.
package final class CircuitBreaker: Sendable {
    package enum State: String, Sendable {
        case closed, open
        /// One attempt is under way.
        case halfOpen
    }

    /// What is known, at one moment. Times are of the wall clock; 0 is never.
    package struct Snapshot: Sendable, Equatable {
        package var state = State.closed
        /// Since when it is closed, or not.
        package var sinceUnixNs: UInt64 = 0
        package var lastSuccessUnixNs: UInt64 = 0
        package var lastErrorUnixNs: UInt64 = 0
        /// The last error, for people; nil if there was none.
        package var lastError: String?
        /// Failures since the last success.
        package var failureCount = 0
        /// Outages since the start.
        package var openedCount = 0
    }

    /// Failures in a row that open it.
    static let failureCountMax = 3
    /// A failure opens it as well when nothing worked for so long.
    static let silenceNsMax: UInt64 = 5_000_000_000
    /// An attempt that was let through and never heard of again is given up after this.
    static let attemptNsMax: UInt64 = 60_000_000_000
    /// After one that neither worked nor failed.
    static let undecidedNs: UInt64 = 500_000_000

    private struct Core {
        var snapshot = Snapshot()
        var lastSuccessNs: UInt64
        var nextAttemptNs: UInt64 = 0
        var backoff = Backoff(minMs: 500, maxMs: 5_000)
    }

    private let core: Mutex<Core>

    package init(nowNs: UInt64, unixNs: UInt64 = Clock.unixNs) {
        var core = Core(lastSuccessNs: nowNs)
        core.snapshot.sinceUnixNs = unixNs
        self.core = Mutex(core)
    }

    package var snapshot: Snapshot { core.withLock { $0.snapshot } }

    package var isClosed: Bool { core.withLock { $0.snapshot.state == .closed } }

    /// Nanoseconds since anything worked.
    package func silenceNs(nowNs: UInt64) -> UInt64 {
        core.withLock { nowNs - min(nowNs, $0.lastSuccessNs) }
    }

    /// Whether an attempt would be let through.
    package func isAttemptDue(nowNs: UInt64) -> Bool {
        core.withLock { $0.snapshot.state == .closed || nowNs >= $0.nextAttemptNs }
    }

    /// Whether the caller may try now; open, that makes it the one attempt.
    package func mayTry(nowNs: UInt64) -> Bool {
        core.withLock { core in
            if core.snapshot.state == .closed { return true }
            guard nowNs >= core.nextAttemptNs else { return false }
            core.snapshot.state = .halfOpen
            core.nextAttemptNs = nowNs + CircuitBreaker.attemptNsMax
            return true
        }
    }

    /// The attempt that was let through said nothing: the next one is due soon.
    package func undecided(nowNs: UInt64) {
        core.withLock { core in
            guard core.snapshot.state == .halfOpen else { return }
            core.nextAttemptNs = nowNs + CircuitBreaker.undecidedNs
        }
    }

    /// Something was stored, or the server has said why not. Returns whether that ended an outage.
    @discardableResult
    package func succeeded(nowNs: UInt64, unixNs: UInt64 = Clock.unixNs) -> Bool {
        core.withLock { core in
            core.lastSuccessNs = nowNs
            core.snapshot.lastSuccessUnixNs = unixNs
            core.snapshot.failureCount = 0
            guard core.snapshot.state != .closed else { return false }
            core.snapshot.state = .closed
            core.snapshot.sinceUnixNs = unixNs
            core.backoff.reset()
            return true
        }
    }

    /// Something could not be stored because of the database. Returns whether an outage begins.
    @discardableResult
    package func failed(
        _ error: String, nowNs: UInt64, unixNs: UInt64 = Clock.unixNs
    ) -> Bool {
        core.withLock { core in
            core.snapshot.failureCount += 1
            core.snapshot.lastError = error
            core.snapshot.lastErrorUnixNs = unixNs
            let wasClosed = core.snapshot.state == .closed
            let isSilent = nowNs >= core.lastSuccessNs + CircuitBreaker.silenceNsMax
            let isMany = core.snapshot.failureCount >= CircuitBreaker.failureCountMax
            guard !wasClosed || isMany || isSilent else { return false }
            // Writers that failed at the same time as the attempt do not push the next one away.
            if wasClosed || core.snapshot.state == .halfOpen {
                let delayMs = core.backoff.nextDelayMs()
                core.nextAttemptNs = nowNs + UInt64(delayMs) * 1_000_000
            }
            core.snapshot.state = .open
            guard wasClosed else { return false }
            core.snapshot.sinceUnixNs = unixNs
            core.snapshot.openedCount += 1
            return true
        }
    }
}

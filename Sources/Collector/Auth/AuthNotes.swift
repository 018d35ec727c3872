// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import Synchronization

/// Gathers who was turned away, for one line of the log now and then: whoever knocks often must not
/// fill the disk, and must not make an event loop wait for it.
///
/// Thread: any.
final class AuthNotes: Sendable {
    private struct Gathered {
        var count = 0
        var last = AuthFailure.missing
        var lastPeer = ""
        var loggedNs: UInt64?
    }

    private let gathered = Mutex(Gathered())

    /// Between two lines.
    static let periodNs: UInt64 = 10_000_000_000

    /// Notes one that was turned away. Whom, of many, only the first since the last line is asked.
    func note(_ failure: AuthFailure, peer: () -> String) {
        // Outside the lock: it asks the system.
        let isFirst = gathered.withLock { $0.count == 0 }
        let peer = isFirst ? peer() : nil
        gathered.withLock { gathered in
            gathered.count += 1
            guard let peer else { return }
            gathered.last = failure
            gathered.lastPeer = peer
        }
    }

    /// What is to be logged now: how many, and one of them; nil for nothing, or not yet.
    func due(nowNs: UInt64) -> (count: Int, failure: AuthFailure, peer: String)? {
        gathered.withLock { gathered in
            guard gathered.count > 0 else { return nil }
            if let loggedNs = gathered.loggedNs, nowNs < loggedNs + AuthNotes.periodNs {
                return nil
            }
            defer { gathered = Gathered(loggedNs: nowNs) }
            return (gathered.count, gathered.last, gathered.lastPeer)
        }
    }

    func log(to logger: Logger, nowNs: UInt64) {
        guard let due = due(nowNs: nowNs) else { return }
        logger.warning(
            "requests were turned away",
            metadata: [
                "requests": "\(due.count)", "reason": "\(due.failure.rawValue)",
                "peer": "\(due.peer)",
            ])
    }
}

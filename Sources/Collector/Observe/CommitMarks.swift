// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres
internal import Synchronization

/// When telemetry was last committed, and what has stood in the way since.
///
/// Thread: any. Cost: one relaxed store per transaction; a lock only after a failure.
final class CommitMarks: Sendable {
    private struct Failing {
        let sinceNs: UInt64
        var lastNs: UInt64
        var text: String
        var isDiskFull: Bool
    }

    private let lastCommitNs = Atomic<UInt64>(0)
    private let isFailing = Atomic<Bool>(false)
    private let failing = Mutex<Failing?>(nil)

    /// A failure that is older says nothing of now: whoever was turned away may send elsewhere, and
    /// nobody tries any more.
    private static let memoryNs: UInt64 = 30_000_000_000
    private static let diskFullState = "53100"

    func committed(nowNs: UInt64) {
        lastCommitNs.store(nowNs, ordering: .relaxed)
        guard isFailing.load(ordering: .relaxed) else { return }
        failing.withLock {
            $0 = nil
            isFailing.store(false, ordering: .relaxed)
        }
    }

    /// A batch could not be stored for a reason that is not in it.
    func failed(_ error: DatabaseError, nowNs: UInt64) {
        switch error.disposition {
        case .reconnect, .transient, .fatal: break
        case .rejectedRow, .rejectedContent, .missingPartition, .missingColumn, .heldElsewhere,
            .stopped:
            return
        }
        failing.withLock { failing in
            let isRecent = failing.map { CommitMarks.isRecent($0, nowNs: nowNs) } ?? false
            failing = Failing(
                sinceNs: isRecent ? failing?.sinceNs ?? nowNs : nowNs, lastNs: nowNs,
                text: error.description,
                isDiskFull: error.sqlState == CommitMarks.diskFullState)
            isFailing.store(true, ordering: .relaxed)
        }
    }

    /// The server had no room for the last batch that was tried.
    func isDiskFull(nowNs: UInt64) -> Bool { recent(nowNs: nowNs)?.isDiskFull ?? false }

    func observe(nowNs: UInt64) -> DaemonObservation.Commits {
        var commits = DaemonObservation.Commits()
        let lastNs = lastCommitNs.load(ordering: .relaxed)
        commits.lastAgeNs = lastNs == 0 ? nil : nowNs - min(lastNs, nowNs)
        if let failing = recent(nowNs: nowNs) {
            commits.failingForNs = nowNs - min(failing.sinceNs, nowNs)
            commits.failure = failing.text
        }
        return commits
    }

    private func recent(nowNs: UInt64) -> Failing? {
        guard isFailing.load(ordering: .relaxed) else { return nil }
        return failing.withLock { failing in
            failing.flatMap { CommitMarks.isRecent($0, nowNs: nowNs) ? $0 : nil }
        }
    }

    private static func isRecent(_ failing: Failing, nowNs: UInt64) -> Bool {
        nowNs - min(failing.lastNs, nowNs) <= memoryNs
    }
}

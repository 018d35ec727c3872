// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Synchronization

/// Fingerprints of exports that this daemon saw committed lately: a retry of one is answered
/// without asking the database.
///
/// What is not in here may still be committed; `otel_export_ledger` knows. Bounded in entries and
/// in time: an entry lives for half of the window at least, and for all of it at most.
/// Thread: any. Cost: one lock and one look-up; 0.5 MB when full.
final class CommittedExports: Sendable {
    /// Entries of both generations together, at most.
    static let entryCountMax = 16_384

    private struct Generations {
        var current: Set<Fingerprint> = []
        var previous: Set<Fingerprint> = []
        var startedNs: UInt64 = 0
    }

    private let windowNs: UInt64
    private let generations = Mutex(Generations())

    /// `windowNs` is `durability.dedup_window`; 0 remembers nothing.
    init(windowNs: UInt64) { self.windowNs = windowNs }

    /// Notes exports whose transaction has committed. `nowNs` is monotonic.
    func insert(_ fingerprints: some Sequence<Fingerprint>, nowNs: UInt64) {
        guard windowNs > 0 else { return }
        generations.withLock { generations in
            for fingerprint in fingerprints {
                turn(&generations, nowNs: nowNs)
                generations.current.insert(fingerprint)
            }
        }
    }

    /// Whether the export is known to be committed.
    func contains(_ fingerprint: Fingerprint, nowNs: UInt64) -> Bool {
        guard windowNs > 0 else { return false }
        return generations.withLock { generations in
            turn(&generations, nowNs: nowNs)
            return generations.current.contains(fingerprint)
                || generations.previous.contains(fingerprint)
        }
    }

    /// Forgets everything: the database may be another one from now on.
    func removeAll() { generations.withLock { $0 = Generations() } }

    /// Lets the older generation go when the younger one is full or half a window old.
    private func turn(_ generations: inout Generations, nowNs: UInt64) {
        let ageNs = nowNs - min(nowNs, generations.startedNs)
        let isFull = generations.current.count >= CommittedExports.entryCountMax / 2
        guard isFull || ageNs >= windowNs / 2 else { return }
        // Nothing came for so long that the younger generation is too old as well.
        generations.previous = ageNs >= windowNs ? [] : generations.current
        generations.current = []
        generations.startedNs = nowNs
    }
}

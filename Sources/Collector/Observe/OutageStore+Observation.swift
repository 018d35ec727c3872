// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Spool

// What is shown of an outage.
extension OutageStore {
    func observeBreaker() -> DaemonObservation.Breaker {
        let snapshot = breaker.snapshot
        var shown = DaemonObservation.Breaker()
        shown.state =
            switch snapshot.state {
            case .closed: .closed
            case .open: .open
            case .halfOpen: .halfOpen
            }
        shown.sinceUnixNs = snapshot.sinceUnixNs
        shown.failureCount = snapshot.failureCount
        shown.lastError = snapshot.lastError
        return shown
    }

    func observeSpool() -> DaemonObservation.Spool? {
        guard let spool else { return nil }
        let status = spool.status
        var shown = DaemonObservation.Spool()
        shown.sizeBytes = status.sizeBytes
        shown.sizeBytesMax = status.sizeBytesMax
        shown.recordCount = status.recordCount
        let nowUnixNs = Clock.unixNs
        shown.oldestAgeNs = status.oldestUnixNs.map { nowUnixNs - min($0, nowUnixNs) }
        shown.damagedFileCount = status.damagedFileCount
        shown.isReady = spool.isReady
        shown.lastError = status.lastError.map { "\($0)" }
        return shown
    }
}

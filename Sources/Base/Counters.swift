// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Everything the daemon counts, by name. Counts only rise.
///
/// Items balance, in every life of a daemon: received + replayed = committed + dead-lettered +
/// deduplicated + refused + spooled + whatever is still in flight. Spooled is what was acknowledged
/// from the disk, maybe to be replayed by a later life; replayed is what came from there and was
/// settled, whichever life spooled it.
package enum Counter: Int, CaseIterable, Sendable {
    case connectionsAccepted
    case connectionsRefused
    /// Turned away above `limits.connections_per_address_max`.
    case connectionsRefusedByAddress
    /// Turned away from the API above `limits.api_connections_per_address_max`.
    case apiConnectionsRefusedByAddress
    /// Turned away because the peer is not among `listen.proxy_addresses`.
    case connectionsRefusedNoProxy
    /// Times that no connection could be accepted: out of descriptors, or of memory.
    case acceptFailures
    case connectionsClosed
    /// Asked to go for their age, and for want of requests.
    case connectionsRetiredByAge
    case connectionsRetiredIdle
    /// Closed with calls in flight, because `connections.age_grace` was over.
    case connectionsCut
    /// Ended because the peer broke HTTP/2; those below name what it did.
    case connectionsAborted
    case abortedForPings
    case abortedForSettings
    case abortedForControlFrames
    case abortedForResets
    case abortedForInvalidFrames
    case abortedForHeaderLists
    case abortedForEmptyData
    case abortedForUnreadFrames
    case abortedForSlowHandshake
    case abortedForSlowHeaders
    case abortedForKeepalive
    case abortedForStalledWrites
    case abortedForProxyHeader
    case abortedForPipelining
    case abortedForSmallPieces
    /// Streams reset because the client gave no window for the answer.
    case answersUntaken
    case requestsReceived
    case requestsAccepted
    case requestsPartial
    case requestsRetry
    case requestsRefused
    case requestsExpired
    /// Those that went beyond the quota of their token.
    case requestsThrottled
    // Requests turned away on their head, by `AuthFailure`. Calls of Export are among the refused,
    // or those to be retried, as well.
    case authMissing
    case authMalformed
    case authUnknown
    case authExpired
    case authRevoked
    case authCertificate
    case authScope
    case authNotReady
    case answersWithoutStream
    case spansReceived
    case spansCommitted
    case spansDeadLettered
    case spansDeduplicated
    case spansRefused
    case spansSpooled
    case spansReplayed
    case logRecordsReceived
    case logRecordsCommitted
    case logRecordsDeadLettered
    case logRecordsDeduplicated
    case logRecordsRefused
    case logRecordsSpooled
    case logRecordsReplayed
    case dataPointsReceived
    case dataPointsCommitted
    case dataPointsDeadLettered
    case dataPointsDeduplicated
    case dataPointsRefused
    case dataPointsSpooled
    case dataPointsReplayed
    // Items by how their requests were answered, and over what they came.
    case spansAcceptedOverGRPC
    case logRecordsAcceptedOverGRPC
    case dataPointsAcceptedOverGRPC
    case spansRefusedOverGRPC
    case logRecordsRefusedOverGRPC
    case dataPointsRefusedOverGRPC
    case spansAcceptedOverHTTP
    case logRecordsAcceptedOverHTTP
    case dataPointsAcceptedOverHTTP
    case spansRefusedOverHTTP
    case logRecordsRefusedOverHTTP
    case dataPointsRefusedOverHTTP
    case exportsDeduplicated
    /// Attributes that the configuration says not to store.
    case attributesDropped
    /// Attributes that have a column, but one for another type than theirs.
    case attributesOfOtherType
    case batchesCommitted
    case batchesRetried
    case databaseConnects
    /// Times that the circuit breaker has opened: an outage began.
    case breakerOpened
    /// Exports written to the spool and made to last.
    case exportsSpooled
    /// Exports out of the spool that are settled: stored, known already, or refused.
    case exportsReplayed
    case spoolBytesWritten
    /// Records of the spool that could not be read back.
    case spoolRecordsDamaged
    /// Exports that the spool did not take: full, or the disk failed.
    case spoolRefusals
    /// Exports that were acknowledged before they were stored (`durability.ack: buffer`), and then
    /// could not be.
    case exportsLost
    /// Look-ups of dimension ids in the caches of writers.
    case dimensionHits
    case dimensionMisses
    /// Ids that a cache threw away for want of room.
    case dimensionEvictions
    /// Minutes whose edges of the service map were computed, and those that were only looked at.
    case serviceMapMinutesComputed
    case serviceMapMinutesUnchanged
    /// Edges that were stored, and those beyond the limit of a minute.
    case serviceMapEdges
    case serviceMapEdgesOmitted
    /// Calls of grpc.health.v1.Health, which are not among the requests.
    case healthCalls
    /// TLS handshakes that were completed.
    case tlsHandshakes
    /// TLS handshakes that failed, by what was in the way: see the reasons of `TLSFailure`.
    case tlsHandshakesNotTLS
    case tlsHandshakesVersion
    case tlsHandshakesCipher
    case tlsHandshakesProtocol
    case tlsHandshakesCertificateMissing
    case tlsHandshakesCertificate
    case tlsHandshakesPeer
    case tlsHandshakesTimeout
    case tlsHandshakesOther
    /// Certificates and keys that were loaded while running, and those that could not be.
    case tlsReloads
    case tlsReloadFailures
}

/// One set of counters, shared by all threads.
///
/// Thread: any. Cost: one relaxed atomic add.
package final class Counters: Sendable {
    private let values = Storage()

    package init() {}

    package func add(_ counter: Counter, _ amount: Int = 1) {
        values.add(counter.rawValue, amount)
    }

    package subscript(_ counter: Counter) -> Int { values.load(counter.rawValue) }

    /// Allocated once and never moved: an Atomic has identity.
    @safe
    private final class Storage: @unchecked Sendable {
        private let cells: UnsafeMutablePointer<Atomic<Int>>

        init() {
            unsafe cells = .allocate(capacity: Counter.allCases.count)
            for index in 0..<Counter.allCases.count {
                unsafe (cells + index).initialize(to: Atomic(0))
            }
        }

        deinit { unsafe cells.deallocate() }

        func add(_ index: Int, _ amount: Int) {
            unsafe cells[index].add(amount, ordering: .relaxed)
        }

        func load(_ index: Int) -> Int { unsafe cells[index].load(ordering: .relaxed) }
    }
}

extension Signal {
    package var receivedCounter: Counter {
        switch self {
        case .traces: .spansReceived
        case .logs: .logRecordsReceived
        case .metrics: .dataPointsReceived
        }
    }

    package var committedCounter: Counter {
        switch self {
        case .traces: .spansCommitted
        case .logs: .logRecordsCommitted
        case .metrics: .dataPointsCommitted
        }
    }

    package var deadLetteredCounter: Counter {
        switch self {
        case .traces: .spansDeadLettered
        case .logs: .logRecordsDeadLettered
        case .metrics: .dataPointsDeadLettered
        }
    }

    package var deduplicatedCounter: Counter {
        switch self {
        case .traces: .spansDeduplicated
        case .logs: .logRecordsDeduplicated
        case .metrics: .dataPointsDeduplicated
        }
    }

    package var refusedCounter: Counter {
        switch self {
        case .traces: .spansRefused
        case .logs: .logRecordsRefused
        case .metrics: .dataPointsRefused
        }
    }

    package var spooledCounter: Counter {
        switch self {
        case .traces: .spansSpooled
        case .logs: .logRecordsSpooled
        case .metrics: .dataPointsSpooled
        }
    }

    package var replayedCounter: Counter {
        switch self {
        case .traces: .spansReplayed
        case .logs: .logRecordsReplayed
        case .metrics: .dataPointsReplayed
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A family of counters on the page of metrics: its name, without `starling_` and `_total`.
enum CounterFamily: String, CaseIterable {
    case connectionsAccepted = "connections_accepted"
    case connectionsRefused = "connections_refused"
    case connectionsClosed = "connections_closed"
    case connectionsAborted = "connections_aborted"
    case connectionsRetired = "connections_retired"
    case acceptFailures = "accept_failures"
    case answersUntaken = "answers_untaken"
    case requestsReceived = "requests_received"
    case requestsAnswered = "requests_answered"
    case authFailures = "auth_failures"
    case answersWithoutStream = "answers_without_stream"
    case healthCalls = "health_calls"
    case itemsReceived = "items_received"
    case itemsReplayed = "items_replayed"
    case itemsSettled = "items_settled"
    case itemsAnswered = "items_answered"
    case exportsDeduplicated = "exports_deduplicated"
    case attributesDropped = "attributes_dropped"
    case attributesOfOtherType = "attributes_of_other_type"
    case batchesCommitted = "batches_committed"
    case batchesRetried = "batches_retried"
    case databaseConnects = "database_connects"
    case dimensionLookups = "dimension_lookups"
    case dimensionEvictions = "dimension_evictions"
    case serviceMapMinutes = "service_map_minutes"
    case serviceMapEdges = "service_map_edges"
    case breakerOpened = "breaker_opened"
    case exportsSpooled = "exports_spooled"
    case exportsReplayed = "exports_replayed"
    case spoolBytesWritten = "spool_written_bytes"
    case spoolRecordsDamaged = "spool_records_damaged"
    case spoolRefusals = "spool_refusals"
    case exportsLost = "exports_lost"
    case tlsHandshakes = "tls_handshakes"
    case tlsHandshakeFailures = "tls_handshake_failures"
    case tlsReloads = "tls_reloads"

    var metricName: String { "starling_\(rawValue)_total" }

    var help: String {
        switch self {
        case .connectionsAccepted: "Connections of clients that were accepted."
        case .connectionsRefused:
            "Connections turned away: above limits.connections_max (total), above "
                + "limits.connections_per_address_max (address) or that of the API (api_address), "
                + "or no trusted proxy (proxy)."
        case .connectionsClosed: "Accepted connections that are closed again."
        case .connectionsAborted:
            "Connections ended because the peer broke HTTP (protocol) or one of its limits."
        case .connectionsRetired:
            "Connections asked to go: for their age, for want of requests, or closed with calls in "
                + "flight after connections.age_grace (cut)."
        case .acceptFailures: "Times that no connection could be accepted for want of descriptors."
        case .answersUntaken: "Answers given up because the client gave no window for them."
        case .requestsReceived: "Calls whose head has arrived."
        case .requestsAnswered: "Calls by their answer; retry asks the client to come back."
        case .authFailures:
            "Requests turned away on their head, by what was wrong with their token."
        case .answersWithoutStream: "Outcomes that nobody waited for any more."
        case .healthCalls: "Calls of grpc.health.v1.Health."
        case .itemsReceived: "Spans, log records and data points of well-formed requests."
        case .itemsReplayed:
            "Spans, log records and data points out of the spool that are settled."
        case .itemsSettled:
            "Items by what became of them; with what is in flight they are received and replayed."
        case .itemsAnswered:
            "Items of decoded requests by what their clients were told, and over which protocol."
        case .exportsDeduplicated: "Requests recognised as a retry of what is committed."
        case .attributesDropped: "Attributes that the configuration says not to store."
        case .attributesOfOtherType:
            "Attributes that have a column, but one for another type than theirs."
        case .batchesCommitted: "Transactions with telemetry that were committed."
        case .batchesRetried: "Transactions that failed; their batch is sent again."
        case .databaseConnects: "Connections opened by writers."
        case .dimensionLookups: "Look-ups of dimension ids in the caches of writers."
        case .dimensionEvictions: "Dimension ids that a cache threw away for want of room."
        case .serviceMapMinutes:
            "Minutes of the service map that were looked at, by whether anything had changed."
        case .serviceMapEdges:
            "Edges of the service map that were stored, and those above the limit of a minute."
        case .breakerOpened: "Outages of the database: times that the circuit breaker opened."
        case .exportsSpooled: "Requests written to the spool and made to last."
        case .exportsReplayed: "Requests out of the spool that are settled."
        case .spoolBytesWritten: "Bytes written to the spool."
        case .spoolRecordsDamaged: "Requests that could not be read back from the spool."
        case .spoolRefusals: "Requests that the spool did not take: full, or the disk failed."
        case .exportsLost:
            "Requests acknowledged from memory (durability.ack: buffer) and then lost."
        case .tlsHandshakes: "TLS handshakes that were completed."
        case .tlsHandshakeFailures: "TLS handshakes that failed, by what was in the way."
        case .tlsReloads: "Certificates that changed while running, by whether they were taken."
        }
    }
}

/// Where a counter is on the page of metrics.
struct CounterPlace {
    let family: CounterFamily
    let labels: MetricsText.Labels

    init(_ family: CounterFamily, _ labels: (name: String, value: String)...) {
        self.family = family
        self.labels = labels
    }
}

extension Counter {
    /// Exhaustive, so that a new counter cannot be forgotten.
    var place: CounterPlace {
        switch self {
        case .connectionsAccepted: CounterPlace(.connectionsAccepted)
        case .connectionsRefused, .connectionsRefusedByAddress, .apiConnectionsRefusedByAddress,
            .connectionsRefusedNoProxy:
            .refused(reason)
        case .connectionsRetiredByAge, .connectionsRetiredIdle, .connectionsCut:
            .retired(reason)
        case .connectionsAborted, .abortedForPings, .abortedForSettings, .abortedForControlFrames,
            .abortedForResets, .abortedForInvalidFrames, .abortedForHeaderLists,
            .abortedForEmptyData, .abortedForUnreadFrames, .abortedForSlowHandshake,
            .abortedForSlowHeaders, .abortedForKeepalive, .abortedForStalledWrites,
            .abortedForProxyHeader, .abortedForPipelining, .abortedForSmallPieces:
            .aborted(reason)
        case .acceptFailures: CounterPlace(.acceptFailures)
        case .connectionsClosed: CounterPlace(.connectionsClosed)
        case .answersUntaken: CounterPlace(.answersUntaken)
        case .requestsReceived: CounterPlace(.requestsReceived)
        case .requestsAccepted: .answered("accepted")
        case .requestsPartial: .answered("partial")
        case .requestsRetry: .answered("retry")
        case .requestsRefused: .answered("refused")
        case .requestsExpired: .answered("expired")
        case .requestsThrottled: .answered("throttled")
        case .authMissing, .authMalformed, .authUnknown, .authExpired, .authRevoked, .authScope,
            .authNotReady, .authCertificate:
            .turnedAway(self)
        case .answersWithoutStream: CounterPlace(.answersWithoutStream)
        case .healthCalls: CounterPlace(.healthCalls)
        case .spansReceived, .spansCommitted, .spansDeadLettered, .spansDeduplicated, .spansRefused,
            .spansSpooled, .spansReplayed, .logRecordsReceived, .logRecordsCommitted,
            .logRecordsDeadLettered, .logRecordsDeduplicated, .logRecordsRefused,
            .logRecordsSpooled, .logRecordsReplayed, .dataPointsReceived, .dataPointsCommitted,
            .dataPointsDeadLettered, .dataPointsDeduplicated, .dataPointsRefused,
            .dataPointsSpooled, .dataPointsReplayed:
            ofItems
        case .spansAcceptedOverGRPC, .logRecordsAcceptedOverGRPC, .dataPointsAcceptedOverGRPC,
            .spansAcceptedOverHTTP, .logRecordsAcceptedOverHTTP, .dataPointsAcceptedOverHTTP:
            .answered(self, "accepted") { $0.acceptedCounter($1) }
        case .spansRefusedOverGRPC, .logRecordsRefusedOverGRPC, .dataPointsRefusedOverGRPC,
            .spansRefusedOverHTTP, .logRecordsRefusedOverHTTP, .dataPointsRefusedOverHTTP:
            .answered(self, "refused") { $0.refusedCounter($1) }
        case .exportsDeduplicated: CounterPlace(.exportsDeduplicated)
        case .attributesDropped: CounterPlace(.attributesDropped)
        case .attributesOfOtherType: CounterPlace(.attributesOfOtherType)
        case .batchesCommitted: CounterPlace(.batchesCommitted)
        case .batchesRetried: CounterPlace(.batchesRetried)
        case .databaseConnects: CounterPlace(.databaseConnects)
        case .dimensionHits: CounterPlace(.dimensionLookups, ("result", "hit"))
        case .dimensionMisses: CounterPlace(.dimensionLookups, ("result", "miss"))
        case .dimensionEvictions: CounterPlace(.dimensionEvictions)
        case .serviceMapMinutesComputed, .serviceMapMinutesUnchanged, .serviceMapEdges,
            .serviceMapEdgesOmitted:
            ofServiceMap
        case .breakerOpened: CounterPlace(.breakerOpened)
        case .exportsSpooled: CounterPlace(.exportsSpooled)
        case .exportsReplayed: CounterPlace(.exportsReplayed)
        case .spoolBytesWritten: CounterPlace(.spoolBytesWritten)
        case .spoolRecordsDamaged: CounterPlace(.spoolRecordsDamaged)
        case .spoolRefusals: CounterPlace(.spoolRefusals)
        case .exportsLost: CounterPlace(.exportsLost)
        case .tlsHandshakes: CounterPlace(.tlsHandshakes)
        case .tlsHandshakesNotTLS, .tlsHandshakesVersion, .tlsHandshakesCipher,
            .tlsHandshakesProtocol, .tlsHandshakesCertificateMissing, .tlsHandshakesCertificate,
            .tlsHandshakesPeer, .tlsHandshakesTimeout, .tlsHandshakesOther:
            CounterPlace(.tlsHandshakeFailures, ("reason", handshakeObstacle))
        case .tlsReloads: CounterPlace(.tlsReloads, ("result", "taken"))
        case .tlsReloadFailures: CounterPlace(.tlsReloads, ("result", "refused"))
        }
    }
}

extension Counter {
    /// The place of a counter of the service map.
    private var ofServiceMap: CounterPlace {
        switch self {
        case .serviceMapMinutesComputed:
            CounterPlace(.serviceMapMinutes, ("result", "computed"))
        case .serviceMapMinutesUnchanged:
            CounterPlace(.serviceMapMinutes, ("result", "unchanged"))
        case .serviceMapEdges: CounterPlace(.serviceMapEdges, ("result", "stored"))
        case .serviceMapEdgesOmitted: CounterPlace(.serviceMapEdges, ("result", "omitted"))
        default: preconditionFailure("not of the service map")
        }
    }
}

extension Counter {
    /// Of counters of spans, log records and data points.
    private var ofItems: CounterPlace {
        switch self {
        case .spansReceived: .received(.traces)
        case .spansCommitted: .settled(.traces, "committed")
        case .spansDeadLettered: .settled(.traces, "dead_lettered")
        case .spansDeduplicated: .settled(.traces, "deduplicated")
        case .spansRefused: .settled(.traces, "refused")
        case .spansSpooled: .settled(.traces, "spooled")
        case .spansReplayed: .replayed(.traces)
        case .logRecordsReceived: .received(.logs)
        case .logRecordsCommitted: .settled(.logs, "committed")
        case .logRecordsDeadLettered: .settled(.logs, "dead_lettered")
        case .logRecordsDeduplicated: .settled(.logs, "deduplicated")
        case .logRecordsRefused: .settled(.logs, "refused")
        case .logRecordsSpooled: .settled(.logs, "spooled")
        case .logRecordsReplayed: .replayed(.logs)
        case .dataPointsReceived: .received(.metrics)
        case .dataPointsCommitted: .settled(.metrics, "committed")
        case .dataPointsDeadLettered: .settled(.metrics, "dead_lettered")
        case .dataPointsDeduplicated: .settled(.metrics, "deduplicated")
        case .dataPointsRefused: .settled(.metrics, "refused")
        case .dataPointsSpooled: .settled(.metrics, "spooled")
        case .dataPointsReplayed: .replayed(.metrics)
        default: preconditionFailure("this counter counts no items")
        }
    }
}

extension Counter {
    /// What was in the way of the TLS handshakes that it counts.
    private var handshakeObstacle: String {
        switch self {
        case .tlsHandshakesNotTLS: "not_tls"
        case .tlsHandshakesVersion: "version"
        case .tlsHandshakesCipher: "cipher"
        case .tlsHandshakesProtocol: "protocol"
        case .tlsHandshakesCertificateMissing: "certificate_missing"
        case .tlsHandshakesCertificate: "certificate"
        case .tlsHandshakesPeer: "peer"
        case .tlsHandshakesTimeout: "timeout"
        default: "other"
        }
    }
}

extension Counter {
    /// Of counters that differ in nothing else: why connections were turned away or ended.
    private var reason: String {
        switch self {
        case .connectionsRefused: "total"
        case .connectionsRefusedByAddress: "address"
        case .apiConnectionsRefusedByAddress: "api_address"
        case .connectionsRefusedNoProxy: "proxy"
        case .connectionsRetiredByAge: "age"
        case .connectionsRetiredIdle: "idle"
        case .connectionsCut: "cut"
        case .connectionsAborted: "protocol"
        case .abortedForPings: "pings"
        case .abortedForSettings: "settings"
        case .abortedForControlFrames: "control_frames"
        case .abortedForResets: "resets"
        case .abortedForInvalidFrames: "invalid_frames"
        case .abortedForHeaderLists: "header_lists"
        case .abortedForEmptyData: "empty_data"
        case .abortedForUnreadFrames: "unread_frames"
        case .abortedForSlowHandshake: "handshake_timeout"
        case .abortedForSlowHeaders: "header_timeout"
        case .abortedForKeepalive: "keepalive_timeout"
        case .abortedForStalledWrites: "write_timeout"
        case .abortedForProxyHeader: "proxy_header"
        case .abortedForPipelining: "pipelining"
        case .abortedForSmallPieces: "small_pieces"
        default: preconditionFailure("this counter has no reason")
        }
    }
}

extension CounterPlace {
    fileprivate static func refused(_ reason: String) -> CounterPlace {
        CounterPlace(.connectionsRefused, ("reason", reason))
    }

    fileprivate static func retired(_ reason: String) -> CounterPlace {
        CounterPlace(.connectionsRetired, ("reason", reason))
    }

    fileprivate static func aborted(_ reason: String) -> CounterPlace {
        CounterPlace(.connectionsAborted, ("reason", reason))
    }

    fileprivate static func answered(_ outcome: String) -> CounterPlace {
        CounterPlace(.requestsAnswered, ("outcome", outcome))
    }

    fileprivate static func turnedAway(_ counter: Counter) -> CounterPlace {
        guard let failure = AuthFailure.allCases.first(where: { $0.counter == counter }) else {
            preconditionFailure("a counter of no failure")
        }
        return CounterPlace(.authFailures, ("reason", failure.rawValue))
    }

    fileprivate static func received(_ signal: Signal) -> CounterPlace {
        CounterPlace(.itemsReceived, ("signal", signal.label))
    }

    fileprivate static func replayed(_ signal: Signal) -> CounterPlace {
        CounterPlace(.itemsReplayed, ("signal", signal.label))
    }

    /// Of the protocol and signal for which `counterOf` gives `counter`.
    fileprivate static func answered(
        _ counter: Counter, _ outcome: String, _ counterOf: (ExportTransport, Signal) -> Counter
    ) -> CounterPlace {
        for transport in ExportTransport.allCases {
            for signal in Signal.allCases where counterOf(transport, signal) == counter {
                return CounterPlace(
                    .itemsAnswered, ("signal", signal.label), ("transport", transport.rawValue),
                    ("outcome", outcome))
            }
        }
        preconditionFailure("a counter of no protocol")
    }

    fileprivate static func settled(_ signal: Signal, _ outcome: String) -> CounterPlace {
        CounterPlace(.itemsSettled, ("signal", signal.label), ("outcome", outcome))
    }
}

extension Signal {
    /// As in labels and JSON.
    var label: String {
        switch self {
        case .traces: "traces"
        case .logs: "logs"
        case .metrics: "metrics"
        }
    }

    /// As in the names of the OpenTelemetry collector's metrics.
    var collectorItemName: String {
        switch self {
        case .traces: "spans"
        case .logs: "log_records"
        case .metrics: "metric_points"
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
package import Copy
package import Socket

/// What the operator decided: every value checked, immutable, handed down from the composition
/// root.
///
/// Each field is one row of `ConfigurationKey.all`, which holds its name, unit, range and default;
/// the zeros below are never seen outside the loader. Reload makes a new value, see `adopting(_:)`.
package struct Configuration: Sendable, Equatable {
    package internal(set) var database = Database()
    package internal(set) var listen = Listen()
    package internal(set) var auth = Auth()
    package internal(set) var tls = Security()
    package internal(set) var limits = RequestLimits()
    package internal(set) var http = HTTP()
    package internal(set) var query = Query()
    package internal(set) var connections = Connections()
    package internal(set) var http2 = HTTP2()
    package internal(set) var memory = Memory()
    package internal(set) var ring = Ring()
    package internal(set) var batch = Batch()
    package internal(set) var partitions = Partitions()
    package internal(set) var retention = Retention()
    package internal(set) var serviceMap = ServiceMap()
    package internal(set) var deadLetters = DeadLetters()
    package internal(set) var attributes = Attributes()
    package internal(set) var durability = Durability()
    package internal(set) var spool = Spool()
    package internal(set) var server = Server()
    package internal(set) var shutdown = Shutdown()
    package internal(set) var log = Log()

    package struct Database: Sendable, Equatable {
        /// `database.url`. libpq URI or conninfo; empty when none is configured. Secret: never log
        /// it, `DatabaseURL.masked` is for that.
        package internal(set) var url = ""
        /// `database.writers`. Threads, each with one connection.
        package internal(set) var writerCount = 0
        /// `database.connect_timeout`.
        package internal(set) var connectTimeoutMs = 0
        /// `database.statement_timeout`.
        package internal(set) var statementTimeoutMs = 0
    }

    /// Where the daemon listens; nil is off.
    package struct Listen: Sendable, Equatable {
        /// `listen.grpc`. OTLP/gRPC.
        package internal(set) var grpc: Endpoint?
        /// `listen.http`. OTLP/HTTP.
        package internal(set) var http: Endpoint?
        /// `listen.api`. Metrics, health and status over HTTP.
        package internal(set) var api: Endpoint?
        /// `listen.jaeger`. Jaeger's query API, where its clients expect it.
        package internal(set) var jaeger: Endpoint?
        /// `listen.unix_mode`. Permission bits of the files of unix sockets.
        package internal(set) var unixMode = 0
        /// `listen.proxy_listeners`. Those that a proxy stands before.
        package internal(set) var proxyListeners: [ListenerName] = []
        /// `listen.proxy_protocol`. Connections to those begin with a PROXY header.
        package internal(set) var isBehindProxy = false
        /// `listen.proxy_addresses`. Who may send one.
        package internal(set) var proxyAddresses = AddressList([])
    }

    /// Who may come in.
    package struct Auth: Sendable, Equatable {
        /// `auth.required`. Requests without a token are turned away.
        package internal(set) var isRequired = false
        /// `auth.allow_anonymous`. Other machines may come in without one.
        package internal(set) var isAnonymousAllowed = false
        /// `auth.client_certificates`. A registered certificate may stand in for a token.
        package internal(set) var acceptsCertificates = false
        /// `auth.token_refresh`. Between looks at the list of tokens.
        package internal(set) var tokenRefreshMs = 0
    }

    package struct RequestLimits: Sendable, Equatable {
        /// `limits.request_bytes_max`. One request on the wire, and again inflated.
        package internal(set) var requestSizeBytesMax = 0
        /// `limits.unpacked_bytes_max`. One request as unpacked messages in its arena.
        package internal(set) var unpackedSizeBytesMax = 0
        /// `limits.request_deadline`. For requests that bring no grpc-timeout, and the most for
        /// those that do.
        package internal(set) var requestDeadlineMs = 0
        /// `limits.connections_max`. Over all listeners.
        package internal(set) var connectionCountMax = 0
        /// `limits.connections_per_address_max`. Of one IPv4 address, or one /64 of IPv6.
        package internal(set) var connectionsPerAddressMax = 0
        /// `limits.api_connections_per_address_max`. Likewise, of `listen.api` and `listen.jaeger`
        /// each.
        package internal(set) var apiConnectionsPerAddressMax = 0
        /// `limits.concurrent_streams_max`. Per connection.
        package internal(set) var concurrentStreamCountMax = 0
        /// `limits.header_list_bytes_max`. Decoded header fields of one request.
        package internal(set) var headerListSizeBytesMax = 0
    }

    package struct HTTP: Sendable, Equatable {
        /// `http.cors_origins`. Origins whose pages may send; `*` for every one.
        package internal(set) var allowedOrigins: [String] = []
    }

    /// What those who ask may take of the database.
    package struct Query: Sendable, Equatable {
        /// `query.database_url`. As `database.url`, and secret like it; empty for that database.
        package internal(set) var databaseURL = ""
        /// `query.readers`. Threads, each with one session.
        package internal(set) var readerCount = 0
        /// `query.waiting_max`. Questions that may wait for a reader.
        package internal(set) var waitingCountMax = 0
        /// `query.statement_timeout`.
        package internal(set) var statementTimeoutMs = 0
        /// `query.range_max`. Telemetry that one question may cover.
        package internal(set) var rangeNsMax: Int64 = 0
        /// `query.streams_max`. Exports under way, each with a thread and a session.
        package internal(set) var streamCountMax = 0
        /// `query.fetch_timeout`.
        package internal(set) var fetchTimeoutMs = 0
        /// `query.tails_max`. Clients that may follow what is stored.
        package internal(set) var tailCountMax = 0
        /// `query.tail_interval`.
        package internal(set) var tailIntervalNs: Int64 = 0
    }

    /// How long connections to `listen.grpc` may be what; 0 is for ever, where that is said.
    package struct Connections: Sendable, Equatable {
        /// `connections.age_max`. 0 is for ever.
        package internal(set) var ageNsMax: Int64 = 0
        /// `connections.age_grace`. For what is in flight when age or idleness ends a connection.
        package internal(set) var ageGraceNs: Int64 = 0
        /// `connections.idle_timeout`. Without a request, 0 is for ever.
        package internal(set) var idleNsMax: Int64 = 0
        /// `connections.keepalive_interval`. Silence before a PING, 0 is never.
        package internal(set) var keepaliveIntervalNs: Int64 = 0
        /// `connections.keepalive_timeout`. Silence after it.
        package internal(set) var keepaliveNsMax: Int64 = 0
        /// `connections.ping_interval_min`. Between two PINGs of a client that asks nothing else.
        package internal(set) var pingIntervalNsMin: Int64 = 0
        /// `connections.handshake_timeout`. From the first byte to the end of HTTP/2's greeting.
        package internal(set) var handshakeNsMax: Int64 = 0
    }

    package struct HTTP2: Sendable, Equatable {
        /// `http2.stream_window_bytes`. Flow-control window of one stream.
        package internal(set) var streamWindowBytes = 0
        /// `http2.connection_window_bytes`. Flow-control window of one connection.
        package internal(set) var connectionWindowBytes = 0
    }

    package struct Memory: Sendable, Equatable {
        /// `memory.budget_bytes`. Everything held for requests.
        package internal(set) var budgetBytes = 0
    }

    package struct Ring: Sendable, Equatable {
        /// `ring.exports_max`. Decoded exports that wait for a writer.
        package internal(set) var exportCountMax = 0
    }

    package struct Batch: Sendable, Equatable {
        /// `batch.rows_max`. Rows after which a writer takes no further export into its
        /// transaction.
        package internal(set) var rowCountMax = 0
        /// `batch.bytes_max`. As `rowCountMax`, for encoded bytes.
        package internal(set) var sizeBytesMax = 0
    }

    package struct Partitions: Sendable, Equatable {
        /// `partitions.interval`. Time that one partition of a fact table spans.
        package internal(set) var interval = PartitionInterval.oneDay
        /// `partitions.ahead`. How far ahead of now partitions exist.
        package internal(set) var aheadNs: Int64 = 0
        /// `partitions.accept_past`. Older rows are rejected, and so are those that retention would
        /// drop.
        package internal(set) var acceptPastNs: Int64 = 0
        /// `partitions.accept_future`. Rows further in the future are rejected.
        package internal(set) var acceptFutureNs: Int64 = 0
        /// `partitions.close_after`. From a partition's last moment to the making of its late
        /// indexes.
        package internal(set) var closeAfterNs: Int64 = 0
    }

    package struct DeadLetters: Sendable, Equatable {
        /// `dead_letters.rows_max`. Rows, 1,000...100,000,000. Beyond, the oldest are purged.
        package internal(set) var rowCountMax = 0
        /// `dead_letters.bytes_max`. Bytes of the requests that are kept, 1 MiB...1 TiB. One
        /// transaction writes a quarter of it at most.
        package internal(set) var sizeBytesMax = 0
    }

    package struct Retention: Sendable, Equatable {
        /// `retention.tenant_attribute`. The resource attribute that names the tenant. How long
        /// things are kept is in the database, where all daemons see it.
        package internal(set) var tenantAttribute = ""
    }

    package struct ServiceMap: Sendable, Equatable {
        /// `service_map.enabled`. Whether this daemon computes the service map.
        package internal(set) var isEnabled = true
    }

    package struct Attributes: Sendable, Equatable {
        /// `attributes.overrides_file`. Path; empty for none.
        package internal(set) var overridesFile = ""
        /// The program's rules, and those of the file.
        package internal(set) var rules = AttributeRules()
    }

    package struct Durability: Sendable, Equatable {
        /// `durability.ack`. What an acknowledgement means.
        package internal(set) var ack = AckMode.commit
        /// `durability.dedup_window`. How long a retry is recognised; 0 is not at all.
        package internal(set) var dedupWindowNs: Int64 = 0
    }

    package struct Spool: Sendable, Equatable {
        /// `spool.directory`. Path; empty for no spool.
        package internal(set) var directory = ""
        /// `spool.bytes_max`. All segments together.
        package internal(set) var sizeBytesMax = 0
        /// `spool.segment_bytes`. After which no further export joins a segment.
        package internal(set) var segmentSizeBytes = 0
    }

    package struct Server: Sendable, Equatable {
        /// `server.loops`. Event loops, each with one thread.
        package internal(set) var loopCount = 0
    }

    package struct Shutdown: Sendable, Equatable {
        /// `shutdown.drain_timeout`. From SIGTERM to the moment at which unfinished requests are
        /// dropped.
        package internal(set) var drainTimeoutMs = 0
    }

    package struct Log: Sendable, Equatable {
        /// `log.level`. The least severe messages that are written.
        package internal(set) var level = LogLevel.info
        /// `log.format`. How they are written.
        package internal(set) var format = LogFormat.text
    }
}

/// `durability.ack`.
package enum AckMode: String, Sendable, CaseIterable {
    /// The answer leaves after the transaction that holds the rows has committed.
    case commit
    /// The answer leaves after the export is in the spool for good; rows follow.
    case spool
    /// The answer leaves after the export is in the ring, in memory.
    case buffer
}

/// `log.level`. swift-log's levels.
package enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// `log.format`.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One line for people, with a systemd priority prefix under the journal.
    case text
    /// One JSON object per line.
    case json
}

extension Configuration {
    /// What is configured, valid, and still not what the operator may expect of this version.
    ///
    /// `serve` logs each as a warning at start.
    package var notes: [String] { notes(activated: [:]) }

    /// Likewise, where the service manager has opened the sockets `activated`.
    package func notes(activated: [ListenerName: Endpoint]) -> [String] {
        var notes: [String] = []
        if auth.isRequired, auth.isAnonymousAllowed {
            notes.append("auth.allow_anonymous has no effect, because auth.required is true")
        }
        let receiving: [ListenerName] = [.grpc, .http]
        if listen.grpc == nil, listen.http == nil, receiving.allSatisfy({ activated[$0] == nil }) {
            notes.append("listen.grpc and listen.http are empty, so nothing is received")
        }
        return notes + tls.notes
    }
}

// SPDX-License-Identifier: Apache-2.0

private let minuteMs = 60_000
private let hourNs: Int64 = 3_600_000_000_000
private let dayNs: Int64 = 24 * hourNs

extension ConfigurationKey {
    /// Every key there is, in the order in which files and listings show them.
    package static let all =
        database + listen + auth + security + limits + connections + http + query
        + flow + partitions
        + retention + serviceMap
        + deadLetters + attributes
        + process

    private static let database = [
        ConfigurationKey(
            "database.url", \.database.url, .databaseURL, default: "", isSecret: true,
            help: "The PostgreSQL database that everything is stored in; several hosts work"),
        ConfigurationKey(
            "database.writers", \.database.writerCount, .perCore("threads", 1...64, autoMin: 2),
            default: "auto",
            help:
                "Threads that write, each with one connection; auto is one per processor, at least "
                + "2"
        ),
        ConfigurationKey(
            "database.connect_timeout", \.database.connectTimeoutMs,
            .milliseconds(100...(10 * minuteMs)),
            default: "5s", help: "How long one attempt to connect may take"),
        ConfigurationKey(
            "database.statement_timeout", \.database.statementTimeoutMs,
            .milliseconds(100...(60 * minuteMs)), default: "30s",
            help:
                "How long one statement of a writer may take before it is given up and tried "
                + "again"),
    ]

    private static let listen = [
        ConfigurationKey(
            "listen.grpc", \.listen.grpc, .endpoint, default: "127.0.0.1:4317",
            help: "Where OTLP over gRPC is received"),
        ConfigurationKey(
            "listen.http", \.listen.http, .endpoint, default: "127.0.0.1:4318",
            help: "Where OTLP over HTTP is received"),
        ConfigurationKey(
            "listen.api", \.listen.api, .endpoint, default: "127.0.0.1:8080",
            help: "Where metrics, health and status are served over HTTP"),
        ConfigurationKey(
            "listen.jaeger", \.listen.jaeger, .endpoint, default: "",
            help: "Where Jaeger's query API is served at the root"),
        ConfigurationKey(
            "listen.unix_mode", \.listen.unixMode, .fileMode, default: "0660",
            help: "Who may connect to a unix socket, as the permission bits of its file"),
        ConfigurationKey(
            "listen.proxy_protocol", \.listen.isBehindProxy, .truth, default: "false",
            help: "Whether a proxy stands before listeners and says for whom it connects"),
        ConfigurationKey(
            "listen.proxy_listeners", \.listen.proxyListeners, .listeners, default: "grpc, http",
            help: "The listeners that it stands before: grpc, http or both"),
        ConfigurationKey(
            "listen.proxy_addresses", \.listen.proxyAddresses, .addressList,
            default: "127.0.0.0/8, ::1, unix",
            help: "The proxies that may do so; nobody else can connect then"),
    ]

    private static let auth = [
        ConfigurationKey(
            "auth.required", \.auth.isRequired, .truth, default: "false",
            help: "Whether every request needs a token"),
        ConfigurationKey(
            "auth.allow_anonymous", \.auth.isAnonymousAllowed, .truth, default: "false",
            help: "Lets the daemon listen for other machines without auth.required"),
        ConfigurationKey(
            "auth.client_certificates", \.auth.acceptsCertificates, .truth, default: "false",
            help: "Whether a client certificate whose name is registered stands in for a token"),
        ConfigurationKey(
            "auth.token_refresh", \.auth.tokenRefreshMs, .milliseconds(100...minuteMs),
            default: "1s", help: "How often the daemon looks whether the list of tokens has changed"
        ),
    ]

    private static let limits = [
        ConfigurationKey(
            "limits.request_bytes_max", \.limits.requestSizeBytesMax, .bytes((1 << 10)...(1 << 30)),
            default: "64MiB", help: "Largest request, on the wire and again inflated"),
        ConfigurationKey(
            "limits.unpacked_bytes_max", \.limits.unpackedSizeBytesMax,
            .bytes((1 << 10)...(8 << 30)),
            default: "160MiB", help: "Largest request as unpacked messages in memory"),
        ConfigurationKey(
            "limits.request_deadline", \.limits.requestDeadlineMs,
            .milliseconds(100...(60 * minuteMs)),
            default: "30s",
            help:
                "How long a request may wait for its commit; a client's own deadline only "
                + "shortens it"
        ),
        ConfigurationKey(
            "limits.connections_max", \.limits.connectionCountMax,
            .count("connections", 1...65_536),
            default: "1024", help: "Connections of clients, over all listeners"),
        ConfigurationKey(
            "limits.connections_per_address_max", \.limits.connectionsPerAddressMax,
            .count("connections", 1...65_536), default: "512",
            help: "Connections of one address; of IPv6 the first 64 bits count"),
        ConfigurationKey(
            "limits.api_connections_per_address_max", \.limits.apiConnectionsPerAddressMax,
            .count("connections", 1...512), default: "256",
            help: "Likewise, of listen.api and of listen.jaeger, each of which has 512 in all"),
        ConfigurationKey(
            "limits.concurrent_streams_max", \.limits.concurrentStreamCountMax,
            .count("requests", 1...65_536), default: "128",
            help: "Requests at a time on one connection"),
        ConfigurationKey(
            "limits.header_list_bytes_max", \.limits.headerListSizeBytesMax,
            .bytes((1 << 10)...(1 << 20)),
            default: "16KiB", help: "Decoded header fields of one request"),
    ]

    private static let secondNs: Int64 = 1_000_000_000

    private static let connections = [
        ConfigurationKey(
            "connections.age_max", \.connections.ageNsMax, .nanoseconds(0...(30 * dayNs)),
            default: "0s",
            help: "Age at which a client is asked to connect anew; 0 is never"),
        ConfigurationKey(
            "connections.age_grace", \.connections.ageGraceNs, .nanoseconds(0...hourNs),
            default: "30s",
            help: "How long its requests in flight may still take"),
        ConfigurationKey(
            "connections.idle_timeout", \.connections.idleNsMax, .nanoseconds(0...(30 * dayNs)),
            default: "10m",
            help: "Time without a request after which a connection is closed; 0 is never"),
        ConfigurationKey(
            "connections.keepalive_interval", \.connections.keepaliveIntervalNs,
            .nanoseconds(0...dayNs), default: "2m",
            help: "Silence after which a client is asked whether it is still there; 0 is never"),
        ConfigurationKey(
            "connections.keepalive_timeout", \.connections.keepaliveNsMax,
            .nanoseconds((secondNs / 10)...hourNs), default: "20s",
            help: "Silence after that question which means that it is gone"),
        ConfigurationKey(
            "connections.ping_interval_min", \.connections.pingIntervalNsMin,
            .nanoseconds((secondNs / 1_000)...hourNs), default: "5s",
            help: "Time between two PINGs that a client may keep up while it sends nothing else"),
        ConfigurationKey(
            "connections.handshake_timeout", \.connections.handshakeNsMax,
            .nanoseconds((secondNs / 10)...hourNs), default: "10s",
            help: "How long a new connection may take to begin speaking HTTP/2"),
    ]

    private static let http = [
        ConfigurationKey(
            "http.cors_origins", \.http.allowedOrigins, .origins, default: "",
            help: "Web pages that may send from a browser, by their origins")
    ]

    private static let query = [
        ConfigurationKey(
            "query.database_url", \.query.databaseURL, .databaseURL, default: "", isSecret: true,
            help: "The database that questions are put to, where it is not database.url"),
        ConfigurationKey(
            "query.readers", \.query.readerCount, .count("threads", 1...64), default: "4",
            help: "Threads that answer questions, each with one connection"),
        ConfigurationKey(
            "query.waiting_max", \.query.waitingCountMax, .count("questions", 0...65_536),
            default: "64",
            help: "Questions that may wait for a reader; one more is told to ask again"),
        ConfigurationKey(
            "query.statement_timeout", \.query.statementTimeoutMs,
            .milliseconds(100...(60 * minuteMs)), default: "10s",
            help: "How long the database may take for one statement of an answer"),
        ConfigurationKey(
            "query.range_max", \.query.rangeNsMax, .nanoseconds(hourNs...(3_660 * dayNs)),
            default: "31d", help: "Longest range of time that one question may cover"),
        ConfigurationKey(
            "query.streams_max", \.query.streamCountMax, .count("exports", 1...64), default: "4",
            help: "Exports that may be under way, each with one thread and one connection"),
        ConfigurationKey(
            "query.fetch_timeout", \.query.fetchTimeoutMs,
            .milliseconds(100...(60 * minuteMs)), default: "5m",
            help: "How long the database may take for one FETCH of an export"),
        ConfigurationKey(
            "query.tails_max", \.query.tailCountMax, .count("tails", 1...400), default: "100",
            help: "Clients that may follow what is stored"),
        ConfigurationKey(
            "query.tail_interval", \.query.tailIntervalNs,
            .nanoseconds((secondNs / 20)...(10 * secondNs)), default: "500ms",
            help: "Time between two looks for what is new, while somebody follows"),
    ]

    /// RFC 9113 allows windows from 65,535 to 2^31 - 1 bytes without tricks.
    private static let windowBytes = 65_535...0x7fff_ffff

    private static let flow = [
        ConfigurationKey(
            "http2.stream_window_bytes", \.http2.streamWindowBytes, .bytes(windowBytes),
            default: "1MiB",
            help: "How much of one request a client may send ahead of what was taken"),
        ConfigurationKey(
            "http2.connection_window_bytes", \.http2.connectionWindowBytes, .bytes(windowBytes),
            default: "8MiB",
            help: "How much a client may send ahead over all requests of one connection"),
        ConfigurationKey(
            "memory.budget_bytes", \.memory.budgetBytes, .bytes((4 << 20)...(1 << 40)),
            default: "256MiB",
            help: "Everything held for requests: bodies, unpacked messages, encoded rows"),
        ConfigurationKey(
            "ring.exports_max", \.ring.exportCountMax, .count("requests", 16...1_048_576),
            default: "4096",
            help: "Decoded requests that may wait for a writer"),
        ConfigurationKey(
            "batch.rows_max", \.batch.rowCountMax, .count("rows", 1...10_000_000), default: "50000",
            help: "Rows after which a writer takes no further request into its transaction"),
        ConfigurationKey(
            "batch.bytes_max", \.batch.sizeBytesMax, .bytes((64 << 10)...(1 << 30)),
            default: "16MiB",
            help: "Encoded bytes after which a writer takes no further request into its transaction"
        ),
    ]

    private static let partitions = [
        ConfigurationKey(
            "partitions.interval", \.partitions.interval, .choice(), default: "1d",
            help: "Time that one partition of a fact table spans"),
        ConfigurationKey(
            "partitions.ahead", \.partitions.aheadNs, .nanoseconds(0...(366 * dayNs)),
            default: "7d",
            help: "How far ahead of now partitions are kept ready"),
        ConfigurationKey(
            "partitions.accept_past", \.partitions.acceptPastNs,
            .nanoseconds(hourNs...(3_660 * dayNs)),
            default: "30d",
            help: "Items older than this, or than their signal is kept, are rejected"),
        ConfigurationKey(
            "partitions.accept_future", \.partitions.acceptFutureNs,
            .nanoseconds((60 * 1_000_000_000)...(366 * dayNs)), default: "1d",
            help: "Items further in the future than this are rejected"),
        ConfigurationKey(
            "partitions.close_after", \.partitions.closeAfterNs, .nanoseconds(0...(3_660 * dayNs)),
            default: "1h",
            help: "How long after its last moment a partition gets its indexes for searching"),
    ]

    private static let retention = [
        ConfigurationKey(
            "retention.tenant_attribute", \.retention.tenantAttribute, .attributeKey,
            default: "tenant.id",
            help: "The resource attribute that retention rules for one tenant look at")
    ]

    private static let serviceMap = [
        ConfigurationKey(
            "service_map.enabled", \.serviceMap.isEnabled, .truth, default: "true",
            help: "Whether this daemon computes the service map and figures of services")
    ]

    private static let deadLetters = [
        ConfigurationKey(
            "dead_letters.rows_max", \.deadLetters.rowCountMax, .count("rows", 1_000...100_000_000),
            default: "1000000",
            help: "Items that cannot be stored and are kept"),
        ConfigurationKey(
            "dead_letters.bytes_max", \.deadLetters.sizeBytesMax, .bytes((1 << 20)...(1 << 40)),
            default: "1GiB", help: "Bytes of the items that cannot be stored and are kept"),
    ]

    private static let attributes = [
        ConfigurationKey(
            "attributes.overrides_file", \.attributes.overridesFile, .path, default: "",
            isReloadable: true,
            help: "A file with further attributes to promote, and attributes not to store")
    ]

    private static let process = [
        ConfigurationKey(
            "durability.ack", \.durability.ack, .choice(), default: "commit",
            help: "What an acknowledgement means: the rows are committed, on disk in the spool, or "
                + "in memory"),
        ConfigurationKey(
            "durability.dedup_window", \.durability.dedupWindowNs, .nanoseconds(0...(7 * dayNs)),
            default: "15m",
            help: "How long a retry of what is committed is recognised; 0 is off. The same for all "
                + "daemons on one database"),
        ConfigurationKey(
            "spool.directory", \.spool.directory, .folder, default: "",
            help: "Where exports are kept while the database takes none"),
        ConfigurationKey(
            "spool.bytes_max", \.spool.sizeBytesMax, .bytes((1 << 20)...(1 << 44)),
            default: "1GiB", help: "All files of the spool together"),
        ConfigurationKey(
            "spool.segment_bytes", \.spool.segmentSizeBytes, .bytes((64 << 10)...(1 << 30)),
            default: "64MiB", help: "After which no further export joins a file of the spool"),
        ConfigurationKey(
            "server.loops", \.server.loopCount, .perCore("threads", 1...64, autoMin: 1),
            default: "auto",
            help: "Event loops that serve connections; auto is one per processor"),
        ConfigurationKey(
            "shutdown.drain_timeout", \.shutdown.drainTimeoutMs, .milliseconds(0...(60 * minuteMs)),
            default: "25s",
            help: "How long unfinished requests may still take after SIGTERM"),
        ConfigurationKey(
            "log.level", \.log.level, .choice(), default: "info", isReloadable: true,
            help: "Least severe messages that are written"),
        ConfigurationKey(
            "log.format", \.log.format, .choice(), default: "text",
            help: "text: lines for people; json: one object per line"),
    ]
}

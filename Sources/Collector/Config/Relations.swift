// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Socket

/// What must hold between keys. Each rule says why, so that the message can.
extension ConfigurationLoader {
    mutating func checkRelations(isDatabaseRequired: Bool) {
        if isDatabaseRequired { checkDatabase() }
        checkMemory()
        checkWindows()
        checkPartitions()
        checkListeners()
        checkProxy()
        checkSpool()
        checkSecurity()
    }

    private mutating func checkDatabase() {
        guard configuration.database.url.isEmpty else { return }
        report(
            ["database.url"],
            ValueFault(
                "no database is configured",
                remedy: "set database.url in the file, or STARLING_DATABASE_URL, for example to "
                    + "postgresql://starling@localhost/starling; `starling up` brings a database "
                    + "of its own"
            ))
    }

    /// A request that can never fit must be refused for good at its size limit; if the budget alone
    /// stopped it, its client would be told to try again for ever.
    private mutating func checkMemory() {
        let limits = configuration.limits
        let budgetBytes = configuration.memory.budgetBytes
        let budget = "memory.budget_bytes (\(Quantity.text(bytes: budgetBytes)))"
        if limits.requestSizeBytesMax > budgetBytes / 2 {
            report(
                ["limits.request_bytes_max", "memory.budget_bytes"],
                ValueFault(
                    "this is more than half of \(budget), which must hold a request twice, packed "
                        + "and unpacked",
                    remedy: "raise memory.budget_bytes to "
                        + "\(Quantity.text(bytes: 2 * limits.requestSizeBytesMax)), or lower this"))
            return
        }
        let neededBytes =
            limits.requestSizeBytesMax + limits.unpackedSizeBytesMax
            + configuration.batch.sizeBytesMax
        if neededBytes > budgetBytes {
            report(
                [
                    "limits.unpacked_bytes_max", "limits.request_bytes_max", "batch.bytes_max",
                    "memory.budget_bytes",
                ],
                ValueFault(
                    "the largest request needs limits.request_bytes_max + "
                        + "limits.unpacked_bytes_max + "
                        + "batch.bytes_max = \(Quantity.text(bytes: neededBytes)), more than "
                        + "\(budget)",
                    remedy: "raise memory.budget_bytes to that, or lower one of the three"))
        }
    }

    private mutating func checkWindows() {
        let http2 = configuration.http2
        guard http2.connectionWindowBytes < http2.streamWindowBytes else { return }
        report(
            ["http2.connection_window_bytes", "http2.stream_window_bytes"],
            ValueFault(
                "a connection's window is smaller than http2.stream_window_bytes "
                    + "(\(Quantity.text(bytes: http2.streamWindowBytes))), which then has no "
                    + "effect",
                remedy: "raise it to at least that, or lower http2.stream_window_bytes"))
    }

    /// Nothing grows without a limit that is written down: partitions per table.
    private static let partitionCountMax: Int64 = 1_000

    private mutating func checkPartitions() {
        let partitions = configuration.partitions
        let spanNs = partitions.acceptPastNs + max(partitions.aheadNs, partitions.acceptFutureNs)
        let count = spanNs / partitions.interval.lengthNs + 2
        guard count > ConfigurationLoader.partitionCountMax else { return }
        report(
            [
                "partitions.interval", "partitions.accept_past", "partitions.ahead",
                "partitions.accept_future",
            ],
            ValueFault(
                "accept_past and ahead make up to \(count) partitions per table, more than "
                    + "\(ConfigurationLoader.partitionCountMax)",
                remedy:
                    "choose a longer interval, or lower partitions.accept_past or partitions.ahead")
        )
    }

    private mutating func checkSpool() {
        let spool = configuration.spool
        if configuration.durability.ack == .spool, spool.directory.isEmpty {
            report(
                ["durability.ack", "spool.directory"],
                ValueFault(
                    "acknowledged exports are to be in the spool, and there is none",
                    remedy: "set spool.directory, for example to /var/lib/starling/spool, or "
                        + "durability.ack to commit"))
        }
        let neededBytes = max(
            2 * spool.segmentSizeBytes, configuration.limits.requestSizeBytesMax + (1 << 20))
        guard !spool.directory.isEmpty, spool.sizeBytesMax < neededBytes else { return }
        report(
            ["spool.bytes_max", "spool.segment_bytes", "limits.request_bytes_max"],
            ValueFault(
                "two files of spool.segment_bytes, or one request of limits.request_bytes_max, "
                    + "do not fit into it",
                remedy: "raise spool.bytes_max to \(Quantity.text(bytes: neededBytes)), or lower "
                    + "one of the two"))
    }

    /// Whoever may send a PROXY header may pretend to be anybody.
    private mutating func checkProxy() {
        let listen = configuration.listen
        let behind = Set(listen.proxyListeners)
        if behind.isEmpty || !behind.isSubset(of: [.grpc, .http]) {
            report(
                ["listen.proxy_listeners"],
                ValueFault(
                    "only OTLP is received behind a PROXY header",
                    remedy: "write grpc, http or both; turn it off with listen.proxy_protocol"))
        }
        if listen.isBehindProxy, listen.proxyAddresses.isEmpty {
            report(
                ["listen.proxy_protocol", "listen.proxy_addresses"],
                ValueFault(
                    "nobody may connect, because no proxy is named",
                    remedy: "set listen.proxy_addresses to the addresses of your proxies, for "
                        + "example \"10.0.0.5, 10.0.0.6\""))
        }
    }

    private mutating func checkListeners() {
        let listen = configuration.listen
        let named = [
            ("listen.grpc", listen.grpc), ("listen.http", listen.http), ("listen.api", listen.api),
            ("listen.jaeger", listen.jaeger),
        ]
        for (index, (name, endpoint)) in named.enumerated() {
            guard let endpoint, !endpoint.isEphemeral else { continue }
            for (otherName, other) in named[..<index] where other == endpoint {
                report(
                    [name, otherName],
                    ValueFault(
                        "\(otherName) has the same address", remedy: "give each its own port"))
            }
        }
    }
}

extension Endpoint {
    /// Whether the kernel chooses the port, so that two of the same are two different ones.
    fileprivate var isEphemeral: Bool {
        if case .tcp(_, port: 0) = self { return true }
        return false
    }
}

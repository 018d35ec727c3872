// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector
internal import Postgres

/// `starling dead-letters`: what could not be stored.
struct DeadLetters: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at what could not be stored, and try it again.",
        discussion: """
            An item that PostgreSQL refuses, or that is wrong in itself, is kept in the table \
            otel_dead_letters with its resource and scope, as long as there are no more of them \
            than dead_letters.rows_max and dead_letters.bytes_max. The answer to the client \
            names the first ones.
            """,
        subcommands: [List.self, Show.self, Replay.self, Purge.self])
}

/// The options that choose dead letters.
struct DeadLetterOptions: ParsableArguments {
    @Argument(help: "Numbers, as in the answer to the client and in `dead-letters list`.")
    var ids: [Int64] = []

    @Option(help: "Only those of one signal.")
    var signal: SignalName?

    @Option(
        help:
            "Only those with this reason, for example time_outside_window or refused_by_postgresql."
    )
    var reason: String?

    @Option(help: ArgumentHelp("Only those that PostgreSQL refused so.", valueName: "code"))
    var sqlstate: String?

    @Option(help: ArgumentHelp("Only those of one tenant.", valueName: "name"))
    var tenant: String?

    @Option(help: ArgumentHelp("Only those of one service.name.", valueName: "name"))
    var service: String?

    @Option(
        help: ArgumentHelp(
            "Only those written since: a duration before now (2h), or 2026-11-21T08:00:00Z.",
            valueName: "time"),
        transform: DeadLetterOptions.moment)
    var since: String?

    @Option(
        help: ArgumentHelp("Only those written before; as --since.", valueName: "time"),
        transform: DeadLetterOptions.moment)
    var until: String?

    var isEmpty: Bool {
        ids.isEmpty && signal == nil && reason == nil && sqlstate == nil && tenant == nil
            && service == nil && since == nil && until == nil
    }

    var filter: DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.ids = ids
        filter.signal = signal?.signal
        filter.reason = reason
        filter.sqlState = sqlstate
        filter.tenant = tenant
        filter.serviceName = service
        filter.sinceText = since
        filter.untilText = until
        return filter
    }

    /// A moment as PostgreSQL reads it.
    static func moment(_ text: String) throws -> String {
        let digits = text.utf8.map { $0 >= 48 && $0 <= 57 ? UInt8(ascii: "9") : $0 }
        let shape = String(decoding: digits, as: UTF8.self)
        if shape.hasPrefix("9999-99-99T99:99") && shape.hasSuffix("Z") { return text }
        let ageNs = try DurationArgument.parse(text)
        return CivilTime.text(unixNs: Clock.unixNs - UInt64(ageNs))
    }
}

extension StoredDeadLetter {
    var jsonFields: [(String, JSONText)] {
        [
            ("id", .number(id)), ("signal", .text(signal.storedName)), ("tenant", .text(tenant)),
            ("service", .text(serviceName)), ("reason", .text(reason)),
            ("sqlstate", .text(sqlState)), ("message", .text(message)),
            ("request_id", .text(requestID)), ("request_items", .number(requestItemCount)),
            ("item_ordinal", .number(itemOrdinal)),
            ("received_at", .text(CivilTime.text(unixNs: receivedUnixNs))),
            ("dead_lettered_at", .text(CivilTime.text(unixNs: deadLetteredUnixNs))),
            ("retries", .number(retryCount)),
            ("retried_at", .text(retriedUnixNs.map { CivilTime.text(unixNs: $0) })),
            ("bytes", .number(sizeBytes)),
        ]
    }
}

extension DeadLetters {
    /// `starling dead-letters list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead letters, newest first.",
            discussion: """
                Examples:
                  starling dead-letters list
                  starling dead-letters list --signal traces --since 2h --json
                  starling dead-letters list --sqlstate 23514 --limit 1000
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var chosen: DeadLetterOptions

        @Option(help: "At most so many.")
        var limit = 100

        @Flag(help: "Print a JSON array of objects.")
        var json = false

        func validate() throws { try DeadLetters.check(limit: limit) }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let letters = try DatabaseMaintenance(loaded.configuration).deadLetters(
                chosen.filter, limit: limit)
            guard !json else {
                return print(JSONText.list(letters.map { .object($0.jsonFields) }))
            }
            var table = TextTable(
                "ID", "WRITTEN", "SIGNAL", "SERVICE", "REASON", "SQLSTATE", "RETRIES", "SIZE",
                "MESSAGE")
            for letter in letters {
                table.append(
                    "\(letter.id)", CivilTime.text(unixNs: letter.deadLetteredUnixNs),
                    letter.signal.storedName, letter.serviceName ?? "-", letter.reason,
                    letter.sqlState ?? "-", "\(letter.retryCount)",
                    SizeText.text(bytes: letter.sizeBytes), letter.message)
            }
            if !table.isEmpty { print(table.text) }
            let isCut = letters.count == limit
            StandardError.write(
                "\(letters.count) dead letters" + (isCut ? ", there may be more: --limit" : "")
                    + "\n")
        }
    }

    static func check(limit: Int) throws {
        guard (1...100_000_000).contains(limit) else {
            throw ValidationError("--limit is \(limit); choose 1 to 100000000")
        }
    }
}

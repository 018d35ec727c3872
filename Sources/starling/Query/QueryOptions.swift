// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

/// Of when something is asked.
struct RangeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How far back from now: 15m, 6h, 2d.", valueName: "duration"))
    var since: String?

    @Option(
        help: ArgumentHelp(
            "From when on: RFC 3339, nanoseconds since 1970, or now-15m. Default: now-1h.",
            valueName: "time"))
    var from: String?

    @Option(
        name: [.customLong("to"), .customLong("until")],
        help: ArgumentHelp("Until when, as --from. Default: now.", valueName: "time"))
    var to: String?

    func validate() throws {
        guard since == nil || from == nil else {
            throw ValidationError("--since and --from say the same; give one of them")
        }
    }

    var parameters: [(name: String, value: String)] {
        var parameters = [("start_time", from ?? "now-\(since ?? "1h")")]
        if let to { parameters.append(("end_time", to)) }
        return parameters
    }
}

/// What of it.
struct FilterOptions: ParsableArguments {
    @Option(help: "Only of this service.")
    var service: String?

    @Option(
        name: .customLong("filter"), parsing: .singleValue,
        help: ArgumentHelp(
            "A condition; may be repeated, all must hold.",
            discussion: """
                FIELD=VALUE, also != > >= < <= and ~ for a regular expression; FIELD alone: it is \
                there. Fields: name, kind, status, duration_nanos, severity_number, body, …, and \
                attributes as attr.KEY, or resource.KEY and so on for one place.
                """, valueName: "condition"))
    var filters: [String] = []

    var parameters: [(name: String, value: String)] {
        (service.map { [("service", $0)] } ?? []) + filters.map { ("filter", $0) }
    }
}

/// Which page, and in which form.
struct PageOptions: ParsableArguments {
    /// As the API has it.
    static let limitMax = 1_000

    @Option(help: "How many, 1 to 1000.")
    var limit = 20

    @Option(help: ArgumentHelp("Where the page before ended, as it said.", valueName: "text"))
    var cursor: String?

    var parameters: [(name: String, value: String)] {
        [("limit", "\(limit)")] + (cursor.map { [("cursor", $0)] } ?? [])
    }
}

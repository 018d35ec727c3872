// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Query

/// `starling query`: what is stored, out of the API of a running daemon.
struct QueryVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Search what is stored, over the API of a running daemon.",
        discussion: """
            Asks the daemon on the listen.api of the configuration, or on --api. Tables are for \
            people; --json prints the answer as it came, see docs/query-api.md.

            Examples:
              starling query traces --since 15m --filter 'status=error'
              starling query spans --service shop --filter 'duration_nanos>=250ms'
              starling query logs --since 6h --filter 'severity_number>=ERROR' --text timeout
              starling query services --since 1h
              starling query logs --since 15m --filter 'severity_number>=WARN' --follow
            """,
        subcommands: [
            QueryTraces.self, QuerySpans.self, QueryLogs.self, QueryMetrics.self,
            QueryServices.self, QueryMap.self,
        ])

    /// How long an answer may take: longer than query.statement_timeout usually is.
    static let patienceMs = 60_000
}

/// What every one of them has.
struct AnswerOptions: ParsableArguments {
    @Flag(help: "Print the answer as it came, as JSON.")
    var json = false

    @OptionGroup(title: "Daemon") var connection: APIOptions

    /// Asks, and prints the answer as JSON, or lets `show` do it.
    func run(
        _ path: String, _ parameters: [(name: String, value: String)],
        show: (JSONObject) -> Void
    ) throws {
        let client = QueryClient(try connection.client(patienceMs: QueryVerb.patienceMs))
        if json {
            let text = try client.text(path, parameters)
            print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
        } else {
            show(try client.object(path, parameters))
        }
    }
}

struct QueryTraces: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traces", abstract: "Traces, newest first.",
        discussion: """
            Example:
              starling query traces --since 15m --service shop --filter 'attr.http.route=/cart'
            """)

    @OptionGroup var range: RangeOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var page: PageOptions
    @OptionGroup var answer: AnswerOptions
    @OptionGroup var noFollowing: NoFollowOptions

    func run() throws {
        let parameters = range.parameters + filter.parameters + page.parameters
        try answer.run("/api/traces", parameters) { found in
            var table = TextTable(
                "TIME", "DURATION", "SPANS", "ERRORS", "SERVICE", "ROOT", "TRACE ID")
            for trace in found.objects("traces") {
                table.append(
                    ShownText.time(trace.integer("start_time_unix_nano")),
                    ShownText.duration(trace.integer("duration_nanos")),
                    trace.text("span_count"), trace.text("error_count"),
                    ShownText.line(trace.text("root_service_name"), countMax: 40),
                    ShownText.line(trace.text("root_span_name"), countMax: 60),
                    trace.text("trace_id"))
            }
            QueryAnswer.show(found, table, nothing: "no trace was found")
        }
    }
}

struct QuerySpans: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spans", abstract: "Spans, newest first.",
        discussion: """
            Example:
              starling query spans --filter 'kind=server' --filter 'duration_nanos>=250ms'
            """)

    @OptionGroup var range: RangeOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var page: PageOptions
    @OptionGroup var following: FollowOptions
    @OptionGroup var answer: AnswerOptions

    func run() throws {
        if following.follow {
            return try following.run(.spans, range, filter.parameters, page, answer)
        }
        let parameters = range.parameters + filter.parameters + page.parameters
        try answer.run("/api/spans", parameters) { found in
            var table = TextTable(
                "TIME", "DURATION", "STATUS", "KIND", "SERVICE", "NAME", "TRACE ID")
            for span in found.objects("spans") {
                table.append(
                    ShownText.time(span.integer("start_time_unix_nano")),
                    ShownText.duration(span.integer("duration_nanos")), span.text("status"),
                    span.text("kind"), ShownText.line(span.text("service_name"), countMax: 40),
                    ShownText.line(span.text("name"), countMax: 60), span.text("trace_id"))
            }
            QueryAnswer.show(found, table, nothing: "no span was found")
        }
    }
}

struct QueryLogs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Log records, newest first.",
        discussion: """
            Example:
              starling query logs --since 6h --filter 'severity_number>=WARN' --text refused
            """)

    @Option(help: "What the body contains.")
    var text: String?

    @OptionGroup var range: RangeOptions
    @OptionGroup var filter: FilterOptions
    @OptionGroup var page: PageOptions
    @OptionGroup var following: FollowOptions
    @OptionGroup var answer: AnswerOptions

    func run() throws {
        let conditions = filter.parameters + (text.map { [("text", $0)] } ?? [])
        if following.follow {
            return try following.run(.logs, range, conditions, page, answer)
        }
        let parameters = range.parameters + conditions + page.parameters
        try answer.run("/api/logs", parameters) { found in
            var table = TextTable("TIME", "SEVERITY", "SERVICE", "BODY")
            for record in found.objects("logs") {
                let severity = record.text("severity_text")
                table.append(
                    ShownText.time(record.integer("time_unix_nano")),
                    severity.isEmpty
                        ? record.text("severity_number") : ShownText.line(severity, countMax: 12),
                    ShownText.line(record.text("service_name"), countMax: 40),
                    ShownText.line(record.text("body"), countMax: 200))
            }
            QueryAnswer.show(found, table, nothing: "no log record was found")
        }
    }
}

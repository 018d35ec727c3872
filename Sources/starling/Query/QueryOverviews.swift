// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

struct QueryMetrics: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Which metrics there are.",
        discussion: """
            Example:
              starling query metrics --prefix http.server
            """)

    @Option(help: "Only names that begin with this.")
    var prefix: String?

    @OptionGroup var page: PageOptions
    @OptionGroup var answer: AnswerOptions
    @OptionGroup var noFollowing: NoFollowOptions

    func run() throws {
        let parameters = page.parameters + (prefix.map { [("prefix", $0)] } ?? [])
        try answer.run("/api/metrics", parameters) { found in
            var table = TextTable("NAME", "TYPE", "UNIT", "TEMPORALITY", "DESCRIPTION")
            for metric in found.objects("metrics") {
                table.append(
                    ShownText.line(metric.text("name"), countMax: 100), metric.text("type"),
                    ShownText.line(metric.text("unit"), countMax: 20),
                    metric.text("temporality"),
                    ShownText.line(metric.text("description"), countMax: 80))
            }
            QueryAnswer.show(found, table, nothing: "no metric was found")
        }
    }
}

struct QueryServices: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services", abstract: "Services with calls, errors and durations.",
        discussion: """
            Example:
              starling query services --since 1h
            """)

    @OptionGroup var range: RangeOptions
    @OptionGroup var answer: AnswerOptions
    @OptionGroup var noFollowing: NoFollowOptions

    func run() throws {
        try answer.run("/api/services", range.parameters) { found in
            var table = TextTable("SERVICE", "NAMESPACE", "CALLS", "ERRORS", "P50", "P95", "P99")
            for service in found.objects("services") {
                table.append(
                    ShownText.line(service.text("service"), countMax: 60),
                    ShownText.line(service.text("namespace"), countMax: 40),
                    service.text("calls"), ShownText.percent(service.number("error_rate")),
                    ShownText.duration(service.integer("p50_nanos")),
                    ShownText.duration(service.integer("p95_nanos")),
                    ShownText.duration(service.integer("p99_nanos")))
            }
            QueryAnswer.show(found, table, nothing: "no service had a call")
        }
    }
}

struct QueryMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Who called whom.",
        discussion: """
            Example:
              starling query map --since 24h --service shop
            """)

    @Option(help: "Only calls from or to services of this name.")
    var service: String?

    @OptionGroup var range: RangeOptions
    @OptionGroup var answer: AnswerOptions
    @OptionGroup var noFollowing: NoFollowOptions

    func run() throws {
        let parameters = range.parameters + (service.map { [("service", $0)] } ?? [])
        try answer.run("/api/service-map", parameters) { found in
            var table = TextTable("FROM", "TO", "KIND", "CALLS", "ERRORS", "P50", "P95")
            for edge in found.objects("edges") {
                table.append(
                    ShownText.line(edge.text("client"), countMax: 60),
                    ShownText.line(edge.text("server"), countMax: 60), edge.text("kind"),
                    edge.text("calls"), ShownText.percent(edge.number("error_rate")),
                    ShownText.duration(edge.integer("p50_nanos")),
                    ShownText.duration(edge.integer("p95_nanos")))
            }
            QueryAnswer.show(found, table, nothing: "nobody called anybody")
        }
    }
}

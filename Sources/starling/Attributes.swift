// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

/// `starling attributes`: which attributes there are, and which have a column of their own.
struct Attributes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List attributes, see which columns would pay off, and add them.",
        discussion: """
            Attributes of spans and log records are in typed columns where they are promoted, and \
            in the jsonb column "attributes" where they are not. A column is smaller, and faster \
            to search. docs/attributes.md says more.
            """,
        subcommands: [List.self, Suggest.self, Promote.self])

    static let sampleRowCountDefault = 10_000
    static let sampleRowCountMax = 1_000_000
}

/// Whose attributes: as rules files write it, or by the signal.
struct ScopeOptions: ParsableArguments {
    @Option(help: "Attributes of the rows of one signal.")
    var signal: SignalName?

    @Option(help: "Attributes of one scope, as in the rules files.")
    var scope: ScopeName?

    func validate() throws {
        if signal != nil && scope != nil {
            throw ValidationError("give one of --signal and --scope")
        }
    }

    /// Nil where none is given.
    var chosen: AttributeScope? {
        switch signal {
        case .traces: .spans
        case .logs: .logs
        case .metrics: .metrics
        case nil: scope?.scope
        }
    }
}

/// A scope as an argument.
enum ScopeName: String, ExpressibleByArgument, CaseIterable {
    case resource, scope, logs, spans, metrics

    var scope: AttributeScope {
        switch self {
        case .resource: .resource
        case .scope: .scope
        case .logs: .logs
        case .spans: .spans
        case .metrics: .metrics
        }
    }
}

/// How many rows to look at.
struct SampleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Look at so many of the newest rows of each table at most.", valueName: "n"))
    var sampleRows = Attributes.sampleRowCountDefault

    func validate() throws {
        guard (1...Attributes.sampleRowCountMax).contains(sampleRows) else {
            throw ValidationError(
                "--sample-rows is \(sampleRows); write 1 to \(Attributes.sampleRowCountMax)")
        }
    }
}

extension DatabaseAttributes.Survey {
    /// What was looked at, for people.
    var sampleText: String {
        let counts = rowCounts.map { scope, count in
            switch scope {
            case .spans: "\(count) spans"
            case .logs: "\(count) log records"
            case .resource: "\(count) resources"
            case .scope: "\(count) scopes"
            case .metrics: "\(count) metric series"
            }
        }
        return counts.joined(separator: ", ")
    }

    var sampleJSON: JSONText {
        .object(rowCounts.map { ($0.scope.rawValue, .number($0.count)) })
    }
}

/// Shares as people read them.
enum PercentText {
    static func text(_ share: Double) -> String {
        if share > 0 && share < 0.001 { return "<0.1%" }
        return DecimalText.text(share * 100, digits: 1) + "%"
    }
}

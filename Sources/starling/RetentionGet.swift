// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Retention {
    /// `starling retention get`.
    struct Get: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the policy, and what is stored.",
            discussion: """
                Examples:
                  starling retention get
                  starling retention get logs --json
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "Only this signal.")
        var signal: SignalName?

        @Flag(help: "Print a JSON array of objects.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let policies = try DatabaseMaintenance(loaded.configuration).policies()
                .filter { signal == nil || $0.signal == signal?.signal }
            guard !json else { return print(JSONText.list(policies.map(\.json))) }
            var table = TextTable("SIGNAL", "TENANT", "DAYS", "BYTES", "STORED", "OLDEST")
            for policy in policies {
                let isWhole = policy.tenant.isEmpty
                table.append(
                    SignalName(policy.signal).rawValue, isWhole ? "all" : policy.tenant,
                    policy.days.map { "\($0)" } ?? "no limit",
                    isWhole ? policy.sizeText : "-",
                    isWhole ? SizeText.text(bytes: policy.usedBytes) : "-",
                    policy.oldestText ?? "-")
            }
            print(table.text)
        }
    }
}

extension DatabaseMaintenance.Policy {
    /// The limit of bytes, for people.
    var sizeText: String { sizeBytesMax.map { Quantity.text(bytes: Int($0)) } ?? "no limit" }

    var json: JSONText {
        .object([
            ("signal", .text(SignalName(signal).rawValue)), ("tenant", .text(tenant)),
            ("days", .number(days)), ("bytes", .number(sizeBytesMax)),
            ("stored_bytes", tenant.isEmpty ? .number(usedBytes) : .null),
            ("oldest", .text(oldestText)),
        ])
    }
}

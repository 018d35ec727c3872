// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

/// `starling partitions`: the tables that the facts are divided into, by time.
struct Partitions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, make or drop partitions by hand.",
        discussion: """
            A running daemon makes partitions ahead of time and drops what `starling retention` \
            says by itself; these verbs are for looking, and for acting now.
            """,
        subcommands: [List.self, Ensure.self, Drop.self])
}

extension DatabaseMaintenance.Partition {
    /// The fields that every verb prints.
    var jsonFields: [(String, JSONText)] {
        [
            ("partition", .text(name)), ("table", .text(table)),
            ("signal", .text(SignalName(signal).rawValue)), ("from", .text(fromText)),
            ("until", .text(untilText)),
        ]
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector

/// `starling retention`: how long things are kept.
struct Retention: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show or change how long data is kept.",
        discussion: """
            The policy is in the database, so all daemons obey the same one, within a minute. \
            Partitions are dropped whole: what is kept is never shorter than the policy, and \
            longer by one partition at most.
            """,
        subcommands: [Get.self, Set.self])
}

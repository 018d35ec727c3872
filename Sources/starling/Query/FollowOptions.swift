// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

/// Of verbs whose rows can be followed.
struct FollowOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Show what there is, oldest first, and then what comes, until Ctrl-C.",
            discussion: "As starling tail does, a line for each; --limit is of what there is."))
    var follow = false

    /// Follows from the newest rows of `page` in `range` on. Errors: where these say of an end.
    func run(
        _ items: TailVerb.Items, _ range: RangeOptions, _ filter: [(name: String, value: String)],
        _ page: PageOptions, _ answer: AnswerOptions
    ) throws {
        guard range.to == nil else {
            throw ValidationError("--follow has no end; leave out --to, or --follow")
        }
        guard page.cursor == nil else {
            throw ValidationError(
                "--follow begins with the newest rows of --since; leave out --cursor, or --follow")
        }
        guard (1...PageOptions.limitMax).contains(page.limit) else {
            throw ValidationError(
                "--limit is \(page.limit); choose 1 to \(PageOptions.limitMax) with --follow")
        }
        try Follower(
            items: items, filter: filter,
            start: range.parameters + [("start_limit", "\(page.limit)")], countMax: nil,
            isJSON: answer.json
        ).run(over: answer.connection)
    }
}

/// Of verbs whose rows cannot: it says what can.
struct NoFollowOptions: ParsableArguments {
    @Flag(help: .hidden)
    var follow = false

    func validate() throws {
        guard !follow else {
            throw ValidationError(
                "--follow is of what is stored once and stays as it is: `starling query spans "
                    + "--follow`, `starling query logs --follow`")
        }
    }
}

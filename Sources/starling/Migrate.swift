// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Collector

/// `starling migrate`: brings the database to the schema of this version.
struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the database to the schema of this version.",
        discussion: """
            Each migration is one transaction; what was applied is recorded in schema_migrations \
            and not applied again. Several at a time wait for one another. There is no way back: \
            make a backup first. After them columns are added for attributes that are to have \
            some, and the views are brought up to date.

            Prints one line per migration on standard output, one for the columns of each table, \
            and one for the views if any changed. With --check changes nothing, and exits with 2 \
            if anything would change.

            Examples:
              starling migrate --set database.url=postgresql://localhost/starling
              starling migrate --check && systemctl restart starling
            """)

    static let pendingExitCode: Int32 = 2

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Only print what is pending; exit with 2 if anything is.")
    var check = false

    func run() throws {
        let loaded = try options.sources(isDatabaseRequired: true).load()
        let schema = DatabaseSchema(loaded.configuration)
        guard check else {
            var isCurrent = true
            try schema.migrate {
                print("\($0.name) in \($1) ms")
                isCurrent = false
            } columnsAdded: {
                print("\($1.count) columns for attributes on \($0)")
                isCurrent = false
            } viewsChanged: {
                print("\($0) views and functions")
                isCurrent = false
            }
            if isCurrent { StandardError.write("The schema is current.\n") }
            return
        }
        let status = try schema.status()
        for step in status.pending { print(step.name) }
        for (table, count) in status.pendingColumnCounts {
            print("\(count) columns for attributes on \(table)")
        }
        let viewCount = status.outdatedViews.count
        if viewCount > 0 { print("\(viewCount) views and functions") }
        if status.pending.isEmpty, status.pendingColumns.isEmpty, viewCount == 0 {
            StandardError.write("The schema is current.\n")
        } else {
            throw ExitCode(Migrate.pendingExitCode)
        }
    }
}

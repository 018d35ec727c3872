// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import Collector
internal import Logging

/// `starling up`: the daemon together with a PostgreSQL of its own.
struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a private PostgreSQL, migrate it, and serve.",
        discussion: """
            Keeps a PostgreSQL cluster in the state folder (made at the first start) that \
            listens on a UNIX socket only. Prints where everything is. Stops PostgreSQL after \
            the daemon on SIGTERM or SIGINT; the data stays for the next start.

            PostgreSQL refuses to run as root: started by root, it runs as postgres or nobody. \
            Settings of yours go into postgresql.local.conf in the state folder.

            Examples:
              starling up
              starling up --state-dir /var/tmp/starling --set listen.grpc=0.0.0.0:4317 \\
                  --set auth.required=true
            """)

    @Option(
        help: ArgumentHelp(
            "Where everything is kept.",
            discussion: """
                Default: /var/lib/starling for root, else $XDG_STATE_HOME/starling or \
                ~/.local/state/starling.
                """,
            valueName: "dir"),
        completion: .directory)
    var stateDir: String?

    @Option(
        help: ArgumentHelp(
            "Where PostgreSQL's initdb and postgres are.",
            discussion: "Default: looked for on PATH, then in /usr/lib/postgresql, newest first.",
            valueName: "dir"),
        completion: .directory)
    var pgBin: String?

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        var sources = options.sources(
            isDatabaseRequired: true, hasDefaultFile: false, isForDaemon: true)
        let postgres = try EmbeddedPostgres(
            options: .init(stateFolder: stateDir, programFolder: pgBin),
            environment: sources.environment)
        sources.fixed = ["database.url": postgres.conninfo]
        sources.commandName = "up"
        let service = try Service(sources: sources)
        // After the daemon: what it still commits needs the server. Also after an error.
        defer { postgres.stop() }
        try postgres.start(
            connectionCount: service.configuration.database.writerCount
                + service.configuration.query.readerCount, logger: service.logger)
        try DatabaseSchema(service.configuration).migrate { step, durationMs in
            service.logger.info("migration \(step.name) in \(durationMs) ms")
        } columnsAdded: { table, names in
            service.logger.info("\(names.count) columns for attributes on \(table)")
        }
        try service.run { served in
            let tls = service.configuration.tls
            let text = Banner.text(
                served, psqlCommand: postgres.psqlCommand, secured: tls.isOn ? tls.listeners : [])
            print(text, terminator: "")
            fflush(nil)  // whoever reads it through a pipe waits for it now
        }
    }
}

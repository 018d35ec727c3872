// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
package import Logging

/// The private PostgreSQL of `starling up`: found, created, configured, started and stopped here.
///
/// It listens on a UNIX socket only, in a folder that only its account may enter.
package final class EmbeddedPostgres {
    /// What the operator may choose.
    package struct Options: Sendable {
        /// Where everything is kept; nil for the default of the account.
        package var stateFolder: String?
        /// Where `initdb` and `postgres` are; nil to look for them.
        package var programFolder: String?

        package init(stateFolder: String? = nil, programFolder: String? = nil) {
            self.stateFolder = stateFolder
            self.programFolder = programFolder
        }
    }

    private static let databaseName = "starling"
    private static let roleName = "starling"

    private let options: Options
    private let environment: [String: String]
    private let account: ServerAccount
    private let folder: StateFolder
    private var logger = Logger(label: "starling") { _ in SwiftLogNoOpLogHandler() }
    private var server: ServerProcess?

    /// Locks the state folder; nothing is started yet. A second one on the same folder fails here.
    package init(
        options: Options, environment: [String: String]
    ) throws(EmbeddedError) {
        self.options = options
        self.environment = environment
        account = try ServerAccount.choose()
        var path = options.stateFolder.map { FileSystem.absolute($0) } ?? ""
        if options.stateFolder == nil {
            path = try StateFolder.defaultPath(
                isRoot: account.isSwitched, environment: environment)
        }
        folder = try StateFolder(path: path, account: account)
    }

    deinit { stop() }

    /// Where everything is kept.
    package var stateFolder: String { folder.path }

    /// How to connect, for libpq. Known before the server runs.
    package var conninfo: String {
        "host=\(ConninfoValue.quoted(folder.socketFolder)) dbname=\(EmbeddedPostgres.databaseName) "
            + "user=\(EmbeddedPostgres.roleName)"
    }

    /// A command line that shows what is stored.
    package var psqlCommand: String {
        let quoted = conninfo.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''")
        return "psql '\(quoted)'"
    }

    /// Creates the cluster if there is none, starts the server, and waits until it takes
    /// connections.
    ///
    /// Blocks. Call once.
    /// - Parameters:
    ///   - connectionCount: What the daemon will hold.
    ///   - logger: For what happens from here on, the server's own messages included.
    package func start(connectionCount: Int, logger: Logger) throws(EmbeddedError) {
        precondition(server == nil)
        self.logger = logger
        let programs = try PostgresPrograms.find(
            chosenFolder: options.programFolder, path: environment["PATH"] ?? "",
            dataVersion: try dataVersion())
        if FileSystem.entry(folder.dataFolder) == nil {
            try createCluster(programs)
        }
        stopFormerServer()
        try folder.makeSocketFolder(account: account)
        try writeSettings(programs, connectionCount: connectionCount)
        let server = ServerProcess(
            command: try command([
                programs.postgres, "-D", folder.dataFolder, "-c",
                "config_file=\(folder.settingsFile)",
                // From the first message on: time and process are in our log.
                "-c", "log_line_prefix=",
            ]),
            environment: childEnvironment, dataFolder: folder.dataFolder, logger: logger)
        self.server = server
        logger.info("starting PostgreSQL \(programs.majorVersion) in \(folder.path)")
        try server.start()
    }

    /// Stops the server; does nothing if it does not run. Blocks for as long as a checkpoint takes.
    package func stop() {
        guard let server else { return }
        logger.info("stopping PostgreSQL")
        server.stop()
        self.server = nil
    }

    /// The major version that made the cluster; nil if there is none.
    private func dataVersion() throws(EmbeddedError) -> Int? {
        guard FileSystem.entry(folder.dataFolder) != nil else { return nil }
        let file = folder.dataFolder + "/PG_VERSION"
        let text: String
        do {
            text = try TextFile.read(file, sizeBytesMax: 64)
        } catch {
            throw EmbeddedError(
                .setup, "\(file) cannot be read: \(error)",
                remedy: "move \(folder.dataFolder) away if it is not a database")
        }
        guard let version = Int(text.prefix { $0.isNumber }) else {
            throw EmbeddedError(
                .setup, "\(file) does not contain a version",
                remedy: "move \(folder.dataFolder) away if it is not a database")
        }
        return version
    }

    /// Makes a complete cluster beside the final place, then moves it there: a start that is killed
    /// in the middle leaves nothing that looks like a database.
    private func createCluster(_ programs: PostgresPrograms) throws(EmbeddedError) {
        logger.info("creating a database in \(folder.path)")
        let draft = folder.draftFolder
        try FileSystem.removeTree(draft)
        try folder.makeServerFolder(draft, account: account)
        try run(
            "initdb",
            [
                programs.initdb, "--pgdata=\(draft)", "--username=\(EmbeddedPostgres.roleName)",
                // Byte order: the fastest, and no index depends on a version of the C library.
                "--encoding=UTF8", "--no-locale",
                // The folder of the socket decides who gets in.
                "--auth-local=trust", "--auth-host=reject",
            ])
        let output = try run(
            "postgres --single", [programs.postgres, "--single", "-D", draft, "postgres"],
            input: "CREATE DATABASE \(EmbeddedPostgres.databaseName)\n")
        guard !output.contains("ERROR:"), !output.contains("FATAL:") else {
            throw EmbeddedError(
                .unavailable, "the database could not be created: \(output)",
                remedy: "check that there is space in \(folder.path)")
        }
        try FileSystem.rename(draft, to: folder.dataFolder)
    }

    private func writeSettings(
        _ programs: PostgresPrograms, connectionCount: Int
    ) throws(EmbeddedError) {
        // Asks for one value, with another set: fails if the build does not know that one.
        let probe = try ChildProcess.run(
            try command([
                programs.postgres, "-D", folder.dataFolder, "-C", "wal_compression", "-c",
                "wal_compression=lz4",
            ]),
            environment: childEnvironment)
        let settings = ServerSettings(
            memorySizeBytes: Machine.memorySizeBytes,
            freeDiskSizeBytes: FileSystem.freeSizeBytes(folder.path),
            processorCount: Machine.processorCount, connectionCount: connectionCount,
            socketFolder: folder.socketFolder, dataFolder: folder.dataFolder,
            localFile: folder.localSettingsFile, hasLZ4: probe.ending == .exited(0))
        try FileSystem.replace(folder.settingsFile, with: settings.text, mode: 0o644)
        if FileSystem.target(folder.localSettingsFile) == nil {
            try FileSystem.replace(
                folder.localSettingsFile, with: ServerSettings.localText, mode: 0o644)
        }
    }

    /// A server that an earlier `starling up` left behind, which has the lock no more: killed, and
    /// on its way out, or without setpriv not even that.
    private func stopFormerServer() {
        guard let file = PostmasterFile.read(dataFolder: folder.dataFolder),
            FileSystem.linkTarget("/proc/\(file.processID)/cwd") == folder.dataFolder
        else { return }
        logger.notice("stopping PostgreSQL of an earlier run, process \(file.processID)")
        let deadlineNs = Clock.monotonicNs + 60_000_000_000
        let pause = Monitor()
        kill(file.processID, SIGINT)
        while FileSystem.entry("/proc/\(file.processID)") != nil, Clock.monotonicNs < deadlineNs {
            pause.withLock { _ = pause.wait(deadlineNs: Clock.monotonicNs + 20_000_000) }
        }
    }

    @discardableResult
    private func run(
        _ name: String, _ arguments: [String], input: String = ""
    ) throws(EmbeddedError) -> String {
        let (ending, output) = try ChildProcess.run(
            try command(arguments), environment: childEnvironment, input: input)
        logger.debug("\(name): \(output)")
        guard ending == .exited(0) else {
            throw EmbeddedError(
                .unavailable, "\(name) ended with \(ending) and said: \(output)",
                remedy: "check the space and the permissions in \(folder.path)")
        }
        return output
    }

    private func command(_ arguments: [String]) throws(EmbeddedError) -> [String] {
        let path = environment["PATH"] ?? ""
        let hasSwitcher = path.split(separator: ":").contains { folder in
            FileSystem.isExecutable(folder + "/setpriv")
        }
        return try account.command(arguments, hasSwitcher: hasSwitcher)
    }

    /// Nothing of ours that could change how the server behaves (PGDATA, PGOPTIONS, …), and
    /// messages that we can read.
    private var childEnvironment: [String: String] {
        let basics = [
            "PATH": environment["PATH"] ?? "/usr/bin:/bin", "HOME": folder.path, "LC_ALL": "C",
            "TZ": "UTC",
        ]
        return basics.merging(EmbeddedPostgres.heapEnvironment) { $1 }
    }

    /// Lets a backend keep what the rows of one COPY took for those of the next. By itself glibc
    /// returns it to the system after each, and the pages are faulted in and cleared again: 5 to
    /// 6 % of what storing a span costs the server. (docs/performance.md)
    ///
    /// Costs up to 32 MiB in each backend that has written a large COPY.
    private static let heapEnvironment = [
        "MALLOC_TRIM_THRESHOLD_": "33554432", "MALLOC_TOP_PAD_": "1048576",
        // glibc chooses it no longer by itself where one of the others is given.
        "MALLOC_MMAP_THRESHOLD_": "16777216",
    ]
}

/// Values in a conninfo string.
enum ConninfoValue {
    /// `text` as it is, or in quotes if it needs them.
    static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && !text.contains { $0.isWhitespace || $0 == "'" || $0 == "\\" }
        if isPlain { return text }
        var output = "'"
        for character in text {
            if character == "'" || character == "\\" { output.append("\\") }
            output.append(character)
        }
        return output + "'"
    }
}

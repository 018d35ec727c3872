// SPDX-License-Identifier: Apache-2.0
import Socket
import Testing

@testable import Collector

// Goal: one table decides; every source reaches every key; every mistake is named with its place.

private let path = "/etc/starling/starling.yaml"

private func load(
    yaml: String? = nil, environment: [String: String] = [:], overrides: [String] = [],
    fixed: [String: String] = [:], isDatabaseRequired: Bool = false
) throws(ConfigurationError) -> LoadedConfiguration {
    let sources = ConfigurationSources(
        filePath: yaml.map { _ in path }, environment: environment, overrides: overrides,
        fixed: fixed,
        commandName: "up", isDatabaseRequired: isDatabaseRequired)
    return try sources.load { (asked) throws(TextFile.Fault) in
        if asked == "/attributes.yaml" { return "" }
        guard asked == path, let yaml else {
            throw TextFile.Fault(description: "No such file or directory")
        }
        return yaml
    }
}

private func problems(
    yaml: String? = nil, environment: [String: String] = [:], overrides: [String] = [],
    fixed: [String: String] = [:], isDatabaseRequired: Bool = false
) -> [String] {
    do {
        _ = try load(
            yaml: yaml, environment: environment, overrides: overrides, fixed: fixed,
            isDatabaseRequired: isDatabaseRequired)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite struct KeyTableTests {
    @Test func namesAreUniqueInEveryForm() {
        let keys = ConfigurationKey.all
        #expect(Set(keys.map(\.name)).count == keys.count)
        #expect(Set(keys.map(\.environmentName)).count == keys.count)
    }

    @Test func everySectionIsTogether() {
        var sections = ConfigurationKey.all.map { $0.name.split(separator: ".")[0] }
        sections = sections.indices.filter { $0 == 0 || sections[$0] != sections[$0 - 1] }.map {
            sections[$0]
        }
        #expect(Set(sections).count == sections.count)
    }

    @Test(arguments: ConfigurationKey.all.map(\.name))
    func textOfDefaultComesBack(name: String) throws {
        let key = try #require(ConfigurationKey.named(name))
        var configuration = Configuration.defaults
        try key.assign(key.text(.defaults), &configuration)
        #expect(configuration == .defaults)
        #expect(!key.help.isEmpty && !key.help.hasSuffix("."))
    }

    // These names and defaults are promised elsewhere.
    @Test(arguments: [
        ("database.url", "STARLING_DATABASE_URL", ""),
        ("database.writers", "STARLING_DATABASE_WRITERS", "auto"),
        ("listen.grpc", "STARLING_LISTEN_GRPC", "127.0.0.1:4317"),
        ("limits.request_bytes_max", "STARLING_LIMITS_REQUEST_BYTES_MAX", "64MiB"),
        ("memory.budget_bytes", "STARLING_MEMORY_BUDGET_BYTES", "256MiB"),
        ("partitions.interval", "STARLING_PARTITIONS_INTERVAL", "1d"),
        ("durability.ack", "STARLING_DURABILITY_ACK", "commit"),
    ])
    func promisedKeys(name: String, environmentName: String, defaultText: String) throws {
        let key = try #require(ConfigurationKey.named(name))
        #expect(key.environmentName == environmentName)
        #expect(key.defaultText == defaultText)
    }

    @Test func onlyDatabasesAreSecret() {
        #expect(
            ConfigurationKey.all.filter(\.isSecret).map(\.name)
                == ["database.url", "query.database_url"])
    }
}

@Suite struct SourceTests {
    @Test func defaultsHold() throws {
        let configuration = try load().configuration
        #expect(configuration == .defaults)
        #expect(configuration.database.writerCount >= 2)
        #expect(configuration.server.loopCount >= 1)
        #expect(configuration.limits.requestSizeBytesMax == 64 << 20)
        #expect(configuration.limits.requestDeadlineMs == 30_000)
        #expect(configuration.partitions.acceptPastNs == 30 * 86_400_000_000_000)
        #expect(configuration.listen.grpc == .tcp(host: "127.0.0.1", port: 4317))
        #expect(configuration.notes.isEmpty)
    }

    /// A valid value that is not the default, for each key.
    private static let others: [String: String] = [
        "database.url": "host=elsewhere", "database.writers": "7", "database.connect_timeout": "7s",
        "database.statement_timeout": "7s", "listen.grpc": "[::1]:4000", "listen.http": "h:1",
        "listen.api": "unix:/a", "listen.jaeger": "unix:/b", "auth.required": "true",
        "auth.allow_anonymous": "true",
        "auth.client_certificates": "true", "auth.token_refresh": "7s",
        "limits.request_bytes_max": "1MiB",
        "limits.unpacked_bytes_max": "2MiB",
        "limits.request_deadline": "7s", "limits.connections_max": "7",
        "limits.connections_per_address_max": "7",
        "limits.api_connections_per_address_max": "7", "listen.unix_mode": "0600",
        "listen.proxy_protocol": "true", "listen.proxy_listeners": "http",
        "listen.proxy_addresses": "10.0.0.0/8, fd00::/8",
        "connections.age_max": "1h", "connections.age_grace": "7s",
        "connections.idle_timeout": "7m", "connections.keepalive_interval": "7s",
        "connections.keepalive_timeout": "7s", "connections.ping_interval_min": "7s",
        "connections.handshake_timeout": "7s",
        "limits.concurrent_streams_max": "7",
        "limits.header_list_bytes_max": "8KiB", "http.cors_origins": "https://a",
        "query.database_url": "host=replica", "query.readers": "7", "query.waiting_max": "7",
        "query.statement_timeout": "7s", "query.range_max": "7d",
        "query.streams_max": "7", "query.fetch_timeout": "7m",
        "query.tails_max": "7", "query.tail_interval": "7s",
        "http2.stream_window_bytes": "2MiB",
        "http2.connection_window_bytes": "9MiB", "memory.budget_bytes": "1GiB",
        "ring.exports_max": "77",
        "batch.rows_max": "7", "batch.bytes_max": "1MiB", "partitions.interval": "6h",
        "partitions.ahead": "2d", "partitions.accept_past": "2d", "partitions.accept_future": "2h",
        "partitions.close_after": "2h", "retention.tenant_attribute": "team",
        "service_map.enabled": "false",
        "dead_letters.rows_max": "2000", "dead_letters.bytes_max": "2MiB",
        "attributes.overrides_file": "/attributes.yaml",
        "durability.ack": "buffer", "durability.dedup_window": "7m",
        "spool.directory": "/spool", "spool.bytes_max": "2GiB", "spool.segment_bytes": "1MiB",
        "server.loops": "7", "shutdown.drain_timeout": "7s",
        "log.level": "debug", "log.format": "json",
        "tls.certificate_file": "/c", "tls.key_file": "/k", "tls.client_ca_file": "/a",
        "tls.client_auth": "optional", "tls.client_names": "a, *.b", "tls.crl_file": "/r",
        "tls.version_min": "1.3", "tls.handshake_timeout": "7s", "tls.listeners": "grpc, api",
        "tls.reload_interval": "7s",
    ]

    /// What has to be set for a key to be valid on its own.
    private static func companions(of name: String) -> [String] {
        guard name.hasPrefix("tls.") else { return [] }
        return ["tls.certificate_file", "tls.key_file", "tls.client_auth", "tls.client_ca_file"]
            .filter { $0 != name }.map { "\($0)=\(others[$0] ?? "")" }
    }

    // Method: for each key, set it in one source more at a time; the strongest must win, and be
    // named.
    @Test(arguments: ConfigurationKey.all.map(\.name))
    func strongerSourceWins(name: String) throws {
        let key = try #require(ConfigurationKey.named(name))
        let other = try #require(SourceTests.others[name])
        let base = key.defaultText.isEmpty ? "\"\"" : "\"\(key.defaultText)\""

        let companions = SourceTests.companions(of: name)

        var loaded = try load(yaml: "\(name): \"\(other)\"", overrides: companions)
        #expect(key.text(loaded.configuration) == other)
        #expect(loaded.origins[name] == .file(path: path, line: 1))

        loaded = try load(
            yaml: "\(name): \(base)", environment: [key.environmentName: other],
            overrides: companions)
        #expect(key.text(loaded.configuration) == other)
        #expect(loaded.origins[name] == .environment(name: key.environmentName))

        loaded = try load(
            yaml: "\(name): \(base)", environment: [key.environmentName: key.defaultText],
            overrides: companions + ["\(name)=\(key.defaultText)", "\(name)=\(other)"])
        #expect(key.text(loaded.configuration) == other)
        #expect(loaded.origins[name] == .flag)
    }

    @Test func nestedAndEmptySections() throws {
        let loaded = try load(
            yaml: "# nothing\nlisten:\ndatabase:\n  writers: 3\n\nlog: {level: warning}\n")
        #expect(loaded.configuration.database.writerCount == 3)
        #expect(loaded.configuration.log.level == .warning)
        #expect(loaded.origins["database.writers"] == .file(path: path, line: 4))
        #expect(loaded.origins["listen.grpc"] == .builtIn)
    }

    @Test(arguments: ["", "\n", "# only text\n", "---\n"])
    func emptyFileIsAllDefaults(yaml: String) throws {
        #expect(try load(yaml: yaml).configuration == .defaults)
    }

    @Test func referencesWorkEverywhere() throws {
        let environment = [
            "HOST": "127.0.0.9", "STARLING_LOG_LEVEL": "${env:LEVEL}", "LEVEL": "debug",
        ]
        let loaded = try load(
            yaml: "listen: {grpc: \"${env:HOST}:1\"}", environment: environment,
            overrides: ["listen.http=${env:HOST}:2"])
        #expect(loaded.configuration.listen.grpc == .tcp(host: "127.0.0.9", port: 1))
        #expect(loaded.configuration.listen.http == .tcp(host: "127.0.0.9", port: 2))
        #expect(loaded.configuration.log.level == .debug)
    }

    @Test func valueMayContainEquals() throws {
        let loaded = try load(overrides: ["database.url=host=a dbname=b"])
        #expect(loaded.configuration.database.url == "host=a dbname=b")
    }

    @Test func fixedValueIsTakenLiterally() throws {
        let loaded = try load(fixed: ["database.url": "host=/tmp/${x}"], isDatabaseRequired: true)
        #expect(loaded.configuration.database.url == "host=/tmp/${x}")
        #expect(loaded.origins["database.url"] == .command(name: "up"))
    }

    @Test(arguments: [
        (["listen.grpc="], 0), (["listen.http="], 0), (["listen.grpc=", "listen.http="], 1),
    ])
    func notesWarnWhereNothingIsReceived(overrides: [String], count: Int) throws {
        let configuration = try load(overrides: overrides).configuration
        #expect(configuration.notes.count == count)
        // What systemd has opened is received from, whatever is configured.
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 1)
        for listener in [ListenerName.grpc, .http] {
            #expect(configuration.notes(activated: [listener: endpoint]).isEmpty)
        }
        #expect(configuration.notes(activated: [.api: endpoint]).count == count)
    }
}

@Suite struct ProblemTests {
    @Test(arguments: [
        (
            "database:\n  writers: 65\n",
            "\(path):2: database.writers = \"65\": this is too large. The range is auto or 1...64."
        ),
        (
            "database:\n  writers: many\n",
            "\(path):2: database.writers = \"many\": this is not a whole number. Write auto or "
                + "1...64."
        ),
        (
            "limits:\n\n  request_bytes_max: 64MB\n",
            "\(path):3: limits.request_bytes_max = \"64MB\": sizes are in binary units. Write "
                + "64MiB."
        ),
        (
            "limits: {request_deadline: 99ms}",
            "\(path):1: limits.request_deadline = \"99ms\": this is too small. The range is "
                + "100ms...1h."
        ),
        (
            "partitions: {interval: 2d}",
            "\(path):1: partitions.interval = \"2d\": this is not one of the names it may have. "
                + "Write one of 1h, 6h, 1d, 7d."
        ),
        (
            "durability:\n  ack: disk",
            "\(path):2: durability.ack = \"disk\": this is not one of the names it may have. "
                + "Write one of commit, spool, buffer."
        ),
        (
            "spool: {directory: var/spool}",
            "\(path):1: spool.directory = \"var/spool\": this path depends on where the daemon is "
                + "started. Write an absolute path, or nothing for off."
        ),
        (
            "durability:\n  ack: spool",
            "\(path):2: durability.ack = \"spool\": acknowledged exports are to be in the spool, "
                + "and there is none. Set spool.directory, for example to "
                + "/var/lib/starling/spool, or durability.ack to commit."
        ),
        (
            "database: {url: nonsense}",
            "\(path):1: database.url = \"***\": this is neither a libpq URI nor a conninfo string. "
                + "Write postgresql://user@host:5432/dbname, or host=name dbname=name user=name."
        ),
        (
            "limits: {request_bytes: 1}",
            "\(path):1: limits.request_bytes: there is no such key. Perhaps "
                + "limits.request_bytes_max is "
                + "meant; `starling config print` lists every key."
        ),
        (
            "wholly: {unknown: 1}",
            "\(path):1: wholly.unknown: there is no such key. Remove it; `starling config print` "
                + "lists "
                + "every key."
        ),
        (
            "limits: 5",
            "\(path):1: limits: this is a section, not a key. Write its keys indented below it."
        ),
        (
            "log:\n  level:\n",
            "\(path):2: log.level: there is no value. Write one (\"\" for an empty one), or remove "
                + "the line."
        ),
        (
            "log:\n  level: [info]",
            "\(path):2: log.level: a key has one value, not a list. Write one value."
        ),
        (
            "log: {level: info}\nlog.level: debug\n",
            "\(path):2: log.level: the key is written twice. Remove one of the two."
        ),
        ("- a\n- b\n", "\(path):1: the file is not a list of sections. Write database: first."),
    ])
    func inFile(yaml: String, expected: String) {
        #expect(problems(yaml: yaml) == [expected])
    }

    @Test(arguments: [
        "a: b: c", "a:\n\t- b", "\"open", "log: {level: info", "a: 1\n---\nb: 1\n", "a: *nowhere",
    ])
    func brokenYAMLNamesTheLine(yaml: String) throws {
        let found = problems(yaml: yaml)
        #expect(found.count == 1)
        #expect(try #require(found.first).hasPrefix("\(path):"))
        #expect(try #require(found.first).contains("is not valid YAML"))
    }

    @Test func duplicateKeyInOneSection() throws {
        let found = problems(yaml: "log:\n  level: info\n  level: debug\n")
        #expect(found.count == 1)
        #expect(try #require(found.first).contains("written twice"))
    }

    // Goal: a file that stands for billions of values is an error, at once. Method: each section is
    // twice the one before.
    @Test func aliasesCannotMultiply() {
        let sections = (1..<60).map { "a\($0): &a\($0) {x: *a\($0 - 1), y: *a\($0 - 1)}\n" }
        let found = problems(yaml: "a0: &a0 {x: 1, y: 2}\n" + sections.joined())
        #expect(found.contains { $0.contains("more than 500 values") })
        #expect(found.count <= YAMLSource.valueCountMax + 1)
    }

    @Test func missingFile() {
        let sources = ConfigurationSources(filePath: "/nonexistent/starling.yaml")
        let error = #expect(throws: ConfigurationError.self) { try sources.load() }
        #expect(
            error?.description
                == "/nonexistent/starling.yaml: the file cannot be read: No such file or "
                + "directory. "
                + "Check the path given with --config and its permissions.")
    }

    @Test func inEnvironment() {
        #expect(
            problems(environment: [
                "STARLING_SERVER_LOOPS": "0", "STARLING_DATABASE_URI": "x", "PATH": "/bin",
            ])
                == [
                    "environment variable STARLING_DATABASE_URI: this names no key. Perhaps "
                        + "STARLING_DATABASE_URL is meant; `starling config print` lists every "
                        + "key.",
                    "environment variable STARLING_SERVER_LOOPS: server.loops = \"0\": this is too "
                        + "small. "
                        + "The range is auto or 1...64.",
                ])
    }

    @Test(arguments: ["listen.grpc", "listen.http", "listen.api", "listen.jaeger"])
    func listenersAreTurnedOffByNothing(name: String) {
        #expect(
            problems(overrides: ["\(name)=off"]) == [
                "--set: \(name) = \"off\": the port is missing. Write host:port, for example "
                    + "off:4317; an empty value is off."
            ])
    }

    @Test func inFlags() {
        #expect(
            problems(overrides: ["log.level", "log.level=loud", "x=1"]) == [
                "--set: \"log.level\" has no =. Write --set key=value.",
                "--set: log.level = \"loud\": this is not one of the names it may have. "
                    + "Write one of trace, debug, info, notice, warning, error, critical.",
                "--set: x: there is no such key. Remove it; `starling config print` lists every "
                    + "key.",
            ])
    }

    @Test func allAtOnceInOrder() {
        let found = problems(
            yaml: "server: {loops: 0}", environment: ["STARLING_LOG_LEVEL": "x"],
            overrides: ["ring.exports_max=1"],
            isDatabaseRequired: true)
        #expect(found.count == 4)
        #expect(found.map { $0.prefix(12) }.last == "database.url")
    }

    @Test func overriddenMistakeIsStillAMistake() {
        #expect(problems(yaml: "server: {loops: 0}", overrides: ["server.loops=1"]).count == 1)
    }

    @Test func failedReferenceShowsNoSecret() throws {
        let found = problems(
            environment: ["SECRET": "hunter2"],
            overrides: ["database.url=postgres://u:${env:SECRET}@h/${env:NONE}"])
        #expect(found.count == 1)
        #expect(try !#require(found.first).contains("hunter2"))
        #expect(try #require(found.first).contains("NONE is not set"))
    }

    @Test func commandWithItsOwnDatabaseRefusesAnother() throws {
        let found = problems(
            environment: ["STARLING_DATABASE_URL": "postgres://u:hunter2@h/d"],
            fixed: ["database.url": "host=/x"])
        #expect(
            found == [
                "environment variable STARLING_DATABASE_URL: database.url = "
                    + "\"postgres://u:***@h/d\": "
                    + "`starling up` brings this itself. Remove it, or use `starling serve`, which "
                    + "takes it "
                    + "from the configuration."
            ])
    }
}

@Suite struct RelationTests {
    // Both sides of each boundary.
    @Test(
        arguments: [
            (["memory.budget_bytes=240MiB"], nil),
            (["memory.budget_bytes=239MiB"], "limits.unpacked_bytes_max"),
            (["memory.budget_bytes=127MiB"], "limits.request_bytes_max"),
            (["limits.request_bytes_max=128MiB", "limits.unpacked_bytes_max=112MiB"], nil),
            (
                ["limits.request_bytes_max=129MiB", "limits.unpacked_bytes_max=64MiB"],
                "limits.request_bytes_max"
            ),
            (["http2.stream_window_bytes=8MiB"], nil),
            (["http2.stream_window_bytes=8388609"], "http2.connection_window_bytes"),
            (["partitions.interval=1h"], nil),
            (["partitions.interval=1h", "partitions.ahead=12d"], "partitions.interval"),
            (["listen.http=127.0.0.1:4317"], "listen.http"),
            (["listen.http=127.0.0.1:4318"], nil),
            (["listen.grpc=127.0.0.1:0", "listen.http=127.0.0.1:0"], nil),
            (["listen.grpc=", "listen.http="], nil),
            (["listen.proxy_protocol=true"], nil),
            (["listen.proxy_protocol=true", "listen.proxy_addresses="], "listen.proxy_protocol"),
            (["listen.proxy_listeners=grpc, api"], "listen.proxy_listeners"),
            (["listen.proxy_listeners="], "listen.proxy_listeners"),
            (["listen.proxy_addresses="], nil),
            (["durability.ack=spool"], "durability.ack"),
            (["durability.ack=spool", "spool.directory=/spool"], nil),
            (["durability.ack=buffer"], nil),
            (["spool.directory=/spool", "spool.bytes_max=128MiB"], nil),
            (["spool.directory=/spool", "spool.bytes_max=127MiB"], "spool.bytes_max"),
            (["spool.bytes_max=1MiB"], nil),
        ] as [([String], String?)])
    func hold(overrides: [String], faultyKey: String?) throws {
        do {
            _ = try load(overrides: overrides)
            #expect(faultyKey == nil)
        } catch {
            #expect(error.problems.map(\.key) == [faultyKey])
        }
    }

    @Test func wrongValueIsNotBlamedTwice() {
        #expect(problems(overrides: ["memory.budget_bytes=1"]).count == 1)
    }

    @Test func databaseIsAskedForOnlyWhereNeeded() throws {
        #expect(try load(isDatabaseRequired: false).configuration.database.url.isEmpty)
        let found = problems(isDatabaseRequired: true)
        #expect(found.count == 1)
        #expect(try #require(found.first).contains("STARLING_DATABASE_URL"))
    }

    @Test func placeOfTheFirstKeyIsNamed() throws {
        let found = problems(yaml: "limits:\n  request_bytes_max: 200MiB")
        #expect(
            found == [
                "\(path):2: limits.request_bytes_max = \"200MiB\": this is more than half of "
                    + "memory.budget_bytes (256MiB), which must hold a request twice, packed and "
                    + "unpacked. "
                    + "Raise memory.budget_bytes to 400MiB, or lower this."
            ])
    }
}

@Suite struct ReloadTests {
    @Test func onlyReloadableKeysAreAdopted() throws {
        let old = try load(overrides: ["database.url=postgres://u:a@h/d"]).configuration
        let new = try load(
            overrides: ["log.level=debug", "server.loops=9", "database.url=postgres://u:b@i/d"]
        ).configuration
        let (result, changes) = try old.adopting(new)
        #expect(result.log.level == .debug)
        #expect(result.server.loopCount == old.server.loopCount)
        #expect(result.database.url == old.database.url)
        #expect(
            changes == [
                .init(
                    key: "database.url", oldText: "postgres://u:***@h/d",
                    newText: "postgres://u:***@i/d",
                    isAdopted: false),
                .init(
                    key: "server.loops", oldText: "\(old.server.loopCount)", newText: "9",
                    isAdopted: false),
                .init(key: "log.level", oldText: "info", newText: "debug", isAdopted: true),
            ])
    }

    @Test func nothingChangesBetweenEquals() throws {
        #expect(try Configuration.defaults.adopting(.defaults).changes.isEmpty)
    }
}

@Suite struct ListingTests {
    @Test func listingCanBeReadBack() throws {
        let loaded = try load(overrides: [
            "database.url=host=a\\b dbname=\"c\"", "listen.api=unix:/x",
        ])
        for isShowingOrigins in [false, true] {
            let again = try load(yaml: loaded.listing(isShowingOrigins: isShowingOrigins))
            #expect(again.configuration == loaded.configuration)
        }
    }

    // Reading expands references and folds line breaks, so writing has to know about both.
    @Test(arguments: [
        "/a$${env:HOME}", "/a$$$${b", "null", "NULL", "/a\u{85}b", "/a\u{2028}b", "/a\u{7f}b",
        "/a\u{feff}\u{fffe}b", "/a\tb\r\nc", "/\u{1}\u{9f}", "/a\"b\\c'd",
    ])
    func anyTextCanBeReadBack(text: String) throws {
        let loaded = try load(overrides: ["retention.tenant_attribute=\(text)"])
        let again = try load(yaml: loaded.listing(isShowingOrigins: false))
        #expect(again.configuration == loaded.configuration)
    }

    @Test func listingMasksAndNamesSources() throws {
        let loaded = try load(
            yaml: "batch:\n  rows_max: 5",
            environment: ["STARLING_DATABASE_URL": "postgres://u:hunter2@h/d"],
            overrides: ["log.level=debug"])
        let listing = loaded.listing(isShowingOrigins: true)
        #expect(!listing.contains("hunter2"))
        let lines = listing.split(separator: "\n").map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(
            lines.contains(
                "url: \"postgres://u:***@h/d\" # environment variable STARLING_DATABASE_URL"))
        #expect(lines.contains("rows_max: 5 # \(path):2"))
        #expect(lines.contains("level: debug # --set"))
        #expect(lines.contains("budget_bytes: 256MiB # default"))
        #expect(lines.first == "database:")
    }
}

@Suite struct MachineTests {
    @Test(
        arguments: [
            (8, nil, nil, 8), (8, "0-1", nil, 2), (8, "0,2-3", nil, 3), (2, "0-7", nil, 2),
            (8, "", nil, 1),
            (8, "x", nil, 8), (8, nil, "max 100000", 8), (8, nil, "200000 100000", 2),
            (8, nil, "150000 100000\n", 2), (8, nil, "10000 100000", 1),
            (8, "0-3", "200000 100000", 2),
            (0, nil, nil, 1), (8, nil, "1 0", 8), (8, nil, "", 8),
        ] as [(Int, String?, String?, Int)])
    func processors(online: Int, allowed: String?, quota: String?, expected: Int) {
        let count = Machine.processorCount(onlineCount: online, allowedList: allowed, quota: quota)
        #expect(count == expected)
    }

    @Test func thisMachineHasSome() {
        #expect(Machine.processorCount >= 1)
        #expect(Machine.memorySizeBytes > 1 << 20)
    }
}

// SPDX-License-Identifier: Apache-2.0
import CLinux
import Logging
import Socket
import Testing

@testable import Collector

@Suite struct PostgresProgramsTests {
    @Test(
        arguments: [
            ("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", 15),
            ("postgres (PostgreSQL) 17.2", 17), ("postgres (PostgreSQL) 18beta1", 18),
            ("postgres (EnterpriseDB) 15", nil), ("", nil),
        ] as [(String, Int?)])
    func versionText(text: String, expected: Int?) {
        #expect(PostgresPrograms.majorVersion(text) == expected)
    }

    @Test func chosenFolderIsTheOnlyCandidate() {
        #expect(PostgresPrograms.candidates(chosenFolder: "/x/", path: "/a:/b") == ["/x"])
        #expect(
            PostgresPrograms.candidates(chosenFolder: nil, path: "/a::relative:/b").prefix(2)
                == ["/a", "/b"])
    }

    /// Folders with the two programs in them, named after versions.
    private func withInstallations<R>(
        _ versions: [Int], _ body: (_ path: String) throws -> R
    ) throws -> R {
        let root = "/tmp/starling-programs-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileSystem.removeTree(root) }
        for version in versions {
            try FileSystem.makeFolder("\(root)/\(version)", mode: 0o755)
            for name in ["initdb", "postgres"] {
                try FileSystem.replace("\(root)/\(version)/\(name)", with: "", mode: 0o755)
            }
        }
        return try body(versions.map { "\(root)/\($0)" }.joined(separator: ":"))
    }

    private func find(
        _ path: String, chosenFolder: String? = nil, dataVersion: Int?
    ) throws(EmbeddedError) -> Int {
        try PostgresPrograms.find(
            chosenFolder: chosenFolder, path: path, dataVersion: dataVersion
        ) { (program) throws(EmbeddedError) in
            Int(program.split(separator: "/").dropLast().last ?? "") ?? 0
        }.majorVersion
    }

    // The first that fits: new enough for a new cluster, the same for an old one.
    @Test(
        arguments: [
            ([15, 16], nil, 15), ([14, 16], nil, 16), ([15, 16], 16, 16), ([16, 15], 15, 15),
        ] as [([Int], Int?, Int)])
    func firstThatFits(versions: [Int], dataVersion: Int?, expected: Int) throws {
        let found = try withInstallations(versions) { try find($0, dataVersion: dataVersion) }
        #expect(found == expected)
    }

    @Test(
        arguments: [
            ([9], 13, "PostgreSQL 13"), ([9], nil, "older than 15"), ([], nil, "does not contain"),
        ] as [([Int], Int?, String)])
    func otherwiseItSaysWhatIsMissing(versions: [Int], dataVersion: Int?, words: String) throws {
        let error = #expect(throws: EmbeddedError.self) {
            try withInstallations(versions) { path in
                let folder = path.isEmpty ? "/nonexistent" : path
                return try find("", chosenFolder: folder, dataVersion: dataVersion)
            }
        }
        #expect(try #require(error).problem.contains(words))
        #expect(try #require(error).description.contains("--pg-bin"))
    }
}

@Suite struct PostmasterFileTests {
    private let complete = "4711\n/data\n1700000000\n5432\n/run\n\n  1234  5\nready   \n"

    @Test func linesAreRead() throws {
        let file = try #require(PostmasterFile(complete))
        #expect(file.processID == 4_711)
        #expect(file.startedAtUnixSeconds == 1_700_000_000)
        #expect(file.status == "ready")
    }

    @Test func partsAreEnough() throws {
        #expect(try #require(PostmasterFile("4711\n/data\n1700000000\n")).status == "")
    }

    @Test(arguments: [
        "", "4711", "4711\n/data\n", "x\n/data\n1\n", "-4711\n/data\n1\n", "1\n/data\n1\n",
    ])
    func restIsNone(text: String) {
        #expect(PostmasterFile(text) == nil)
    }
}

@Suite struct ServerLogTests {
    @Test(
        arguments: [
            ("LOG:  ready", .debug), ("WARNING:  x", .warning), ("ERROR:  x", .warning),
            ("FATAL:  x", .warning), ("PANIC:  x", .critical),
            ("FATAL:  terminating connection due to administrator command", .debug),
            (
                "DETAIL:  "
                    + "x", nil
            ),
            ("HINT:  x", nil),
            ("anything else", nil), ("", nil),
        ] as [(String, Logger.Level?)])
    func levels(line: String, expected: Logger.Level?) {
        #expect(ServerLog.level(line) == expected)
    }

    @Test func linesAreJoinedAndTheLastKept() {
        let log = ServerLog(logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
        for text in ["LOG:  a", "b\nLO", "G:  c\n\n", "open"] { log.append(Array(text.utf8)[...]) }
        #expect(log.lastLines == ["LOG:  ab", "LOG:  c"])
        for number in 0..<10 { log.append(Array("\(number)\n".utf8)[...]) }
        #expect(log.lastLines.count == 6 && log.lastLines.last == "9")
        log.removeAll()
        #expect(log.lastLines.isEmpty)
    }
}

@Suite struct StateFolderTests {
    @Test(arguments: [
        (true, ["HOME": "/root"], "/var/lib/starling"),
        (false, ["HOME": "/home/a", "XDG_STATE_HOME": "/x/"], "/x/starling"),
        (false, ["HOME": "/home/a"], "/home/a/.local/state/starling"),
        (
            false, ["HOME": "/home/a", "XDG_STATE_HOME": "relative"],
            "/home/a/.local/state/starling"
        ),
    ])
    func defaultPath(isRoot: Bool, environment: [String: String], expected: String) throws {
        #expect(
            try StateFolder.defaultPath(isRoot: isRoot, environment: environment) == expected)
    }

    @Test func withoutAHomeItHasToBeNamed() {
        let error = #expect(throws: EmbeddedError.self) {
            try StateFolder.defaultPath(isRoot: false, environment: [:])
        }
        #expect(error?.description.contains("--state-dir") == true)
    }

    // The kernel's limit for a socket's path, from both sides.
    @Test func socketStaysWithinTheLimit() {
        let name = "/run/.s.PGSQL.5432"
        let longest = "/" + String(repeating: "a", count: 107 - name.utf8.count - 1)
        #expect(StateFolder.socketFolder(path: longest) == longest + "/run")
        let other = StateFolder.socketFolder(path: longest + "a")
        #expect(other.hasPrefix("/tmp/starling-"))
        #expect(other != StateFolder.socketFolder(path: longest + "b"))
    }

    @Test(arguments: [
        ("/a/./b//../c/", "/a/c"), ("/..", "/"), ("/", "/"), ("/a", "/a"),
    ])
    func absolutePaths(path: String, expected: String) {
        #expect(FileSystem.absolute(path) == expected)
    }

    @Test func relativePathsBeginHere() {
        #expect(FileSystem.absolute("a").hasPrefix("/"))
        #expect(FileSystem.absolute("a").hasSuffix("/a"))
    }
}

@Suite struct ConninfoValueTests {
    @Test(arguments: [
        ("/run/x", "/run/x"), ("", "''"), ("a b", "'a b'"), ("it's", "'it\\'s'"),
        ("a\\b", "'a\\\\b'"),
    ])
    func quoted(text: String, expected: String) {
        #expect(ConninfoValue.quoted(text) == expected)
    }
}

@Suite struct BannerTests {
    @Test(
        arguments: [
            (.tcp(host: "127.0.0.1", port: 4317), "http://127.0.0.1:4317"),
            (.tcp(host: "0.0.0.0", port: 1), "http://127.0.0.1:1"),
            (.tcp(host: "::", port: 1), "http://[::1]:1"),
            (.tcp(host: "::1", port: 1), "http://[::1]:1"),
            (.unix(path: "/run/otlp"), "unix:///run/otlp"),
        ] as [(Endpoint, String)])
    func endpointForClients(endpoint: Endpoint, expected: String) {
        let text = Banner.text(
            ServedEndpoints(grpc: endpoint, http: nil, api: nil), psqlCommand: "psql 'host=/x'")
        #expect(text.contains("OTEL_EXPORTER_OTLP_ENDPOINT=\(expected)\n"))
        #expect(text.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"))
        #expect(text.contains("psql 'host=/x'\n"))
        #expect(text.contains("OTLP/HTTP   off\n"))
    }

    @Test func bothWaysAreNamed() {
        let text = Banner.text(
            ServedEndpoints(
                grpc: .tcp(host: "127.0.0.1", port: 1), http: .tcp(host: "127.0.0.1", port: 2),
                api: nil), psqlCommand: "psql")
        #expect(text.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n\nor\n"))
        #expect(
            text.hasSuffix(
                """
                  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:2
                  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf

                """))
    }

    @Test(arguments: [
        ([ListenerName.grpc], true, false), ([.api], false, true), ([], false, false),
    ])
    func listenersWithTLSAreSaidToHaveIt(
        secured: [ListenerName], isGRPCSecure: Bool, isAPISecure: Bool
    ) {
        let text = Banner.text(
            ServedEndpoints(
                grpc: .tcp(host: "::", port: 4317), http: nil,
                api: .tcp(host: "127.0.0.1", port: 8080)),
            psqlCommand: "psql", secured: secured)
        #expect(text.contains("=https://[::1]:4317\n") == isGRPCSecure)
        #expect(text.contains(" https://127.0.0.1:8080\n") == isAPISecure)
    }

    @Test func withoutAListenerThereIsNothingToPointAt() {
        #expect(
            !Banner.text(ServedEndpoints(grpc: nil, http: nil, api: nil), psqlCommand: "psql")
                .contains("OTEL_"))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Logging
import Testing

@testable import Collector

private let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"]

private let hasPostgres =
    (try? PostgresPrograms.find(
        chosenFolder: nil, path: "/usr/local/bin:/usr/bin:/bin", dataVersion: nil)) != nil

// Goal: a private server from nothing, and again on what is there, whatever happened before.
// Method: real programs. Slow, so one test walks through it all.
@Suite(.enabled(if: hasPostgres, "PostgreSQL's server programs are not installed"))
struct EmbeddedPostgresTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func server(_ path: String) -> PostmasterFile? {
        PostmasterFile.read(dataFolder: path + "/data")
    }

    /// Waits until `condition` holds; gives up after a minute.
    private func eventually(_ condition: () -> Bool) -> Bool {
        let deadlineNs = Clock.monotonicNs + 60_000_000_000
        let pause = Monitor()
        while !condition() {
            guard Clock.monotonicNs < deadlineNs else { return false }
            pause.withLock { _ = pause.wait(deadlineNs: Clock.monotonicNs + 10_000_000) }
        }
        return true
    }

    @Test func wholeLife() throws {
        let path = "/tmp/starling-embedded-\(getpid())"
        defer { try? FileSystem.removeTree(path) }
        // What a start that was killed leaves behind does no harm.
        try FileSystem.makeFolder(path + "/data.initializing/base", mode: 0o755)

        let postgres = try EmbeddedPostgres(
            options: .init(stateFolder: path), environment: environment)
        #expect(postgres.stateFolder == path)
        #expect(postgres.conninfo == "host=\(path)/run dbname=starling user=starling")
        #expect(postgres.psqlCommand == "psql '\(postgres.conninfo)'")
        try postgres.start(connectionCount: 2, logger: logger)
        let first = try #require(server(path))
        #expect(first.status == "ready")
        #expect(FileSystem.entry(path + "/data.initializing") == nil)
        #expect(FileSystem.entry(path + "/run")?.mode == 0o700)
        #expect(FileSystem.entry(path + "/run/.s.PGSQL.5432") != nil)

        // It is started again when it dies.
        kill(first.processID, SIGKILL)
        #expect(
            eventually { server(path).map { $0 != first && $0.status == "ready" } ?? false })

        let second = try #require(server(path))
        postgres.stop()
        #expect(server(path) == nil)
        #expect(FileSystem.entry("/proc/\(second.processID)") == nil)

        // A second start finds the cluster, and a setting that is wrong is named.
        let again = try EmbeddedPostgres(
            options: .init(stateFolder: path), environment: environment)
        try again.start(connectionCount: 2, logger: logger)
        #expect(server(path)?.status == "ready")
        again.stop()
        try FileSystem.replace(
            path + "/postgresql.local.conf", with: "work_mem = potatoes\n", mode: 0o644)
        let broken = try EmbeddedPostgres(
            options: .init(stateFolder: path), environment: environment)
        let error = #expect(throws: EmbeddedError.self) {
            try broken.start(connectionCount: 2, logger: logger)
        }
        #expect(error?.kind == .unavailable)
        #expect(error?.problem.contains("work_mem") == true)
    }

    // The lock is one of processes, so the second has to be one.
    @Test func secondOnOneFolderIsRefused() async throws {
        let path = "/tmp/starling-lock-\(getpid())"
        defer { try? FileSystem.removeTree(path) }
        let first = try EmbeddedPostgres(
            options: .init(stateFolder: path), environment: environment)
        await #expect(processExitsWith: .exitCode(3)) { [path = path as String] in
            do throws(EmbeddedError) {
                _ = try EmbeddedPostgres(options: .init(stateFolder: path), environment: [:])
            } catch {
                precondition(error.problem == "another `starling up` uses \(path)")
                exit(3)
            }
        }
        #expect(first.stateFolder == path)
    }

    @Test func folderOfSomethingElseIsLeftAlone() throws {
        let path = "/tmp/starling-foreign-\(getpid())"
        defer { try? FileSystem.removeTree(path) }
        try FileSystem.makeFolder(path, mode: 0o755)
        try FileSystem.replace(path + "/thesis.tex", with: "", mode: 0o644)
        let error = #expect(throws: EmbeddedError.self) {
            try EmbeddedPostgres(options: .init(stateFolder: path), environment: environment)
        }
        #expect(error?.kind == .setup)
        #expect(error?.problem.contains("thesis.tex") == true)
        #expect(FileSystem.names(in: path) == ["thesis.tex"])
    }
}

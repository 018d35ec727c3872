// SPDX-License-Identifier: Apache-2.0
import Base
import Foundation
import Synchronization

@testable import Postgres

/// A PostgreSQL of its own for the tests: on a Unix socket in a temporary folder, without fsync.
///
/// It is stopped when the process exits. Should the process be killed, the kernel stops it
/// (PR_SET_PDEATHSIG), and the next run removes the folder.
final class ScratchCluster: Sendable {
    private enum Server {
        case starting, running(Program), ended
        case failed(any Error)
    }

    /// Where data, socket and log are.
    let folder: String
    private let server = Mutex<Server>(.ended)
    /// Waits for the end of the server.
    private let waiter = Mutex<WorkerThread?>(nil)
    private let databaseCount = Atomic<Int>(0)

    /// The cluster that most tests share. It lives to the end of the process.
    static let shared: ScratchCluster = {
        do {
            let cluster = try ScratchCluster()
            atexit { ScratchCluster.shared.destroy() }
            try cluster.makeTemplate()
            return cluster
        } catch {
            preconditionFailure("no PostgreSQL to test with: \(error)")
        }
    }()

    init() throws {
        ScratchCluster.removeLeftovers()
        folder = try ScratchCluster.makeFolder()
        try Program.run(
            ScratchCluster.privilegeDrop + [
                "\(try ScratchCluster.programFolder())/initdb", "--pgdata", "\(folder)/data",
                "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
                "--no-sync", "--no-instructions",
            ], logPath: "\(folder)/initdb.log")
        try start()
    }

    /// Settings for `database` on this cluster.
    func settings(_ database: String = "postgres") -> DatabaseSettings {
        DatabaseSettings(url: "host=\(folder) user=postgres dbname=\(database)")
    }

    func connect(_ database: String = "postgres") throws -> Session {
        try Session(settings(database))
    }

    /// Starts the server and returns when it takes connections.
    func start() throws {
        let arguments =
            ScratchCluster.privilegeDrop + [
                "--pdeathsig", "INT", "\(try ScratchCluster.programFolder())/postgres",
                "-D", "\(folder)/data", "-c", "listen_addresses=",
                "-c", "unix_socket_directories=\(folder)", "-c", "fsync=off",
                "-c", "full_page_writes=off", "-c", "max_connections=60", "-c",
                "shared_buffers=64MB",
            ]
        let log = "\(folder)/postgres.log"
        server.withLock { $0 = .starting }
        // The kernel's promise is tied to the thread that starts the child: it has to stay.
        let thread = WorkerThread(name: "scratch-cluster") { [self] in
            do {
                let program = try Program(arguments, logPath: log)
                server.withLock { $0 = .running(program) }
                program.wait()
                server.withLock { $0 = .ended }
            } catch {
                server.withLock { $0 = .failed(error) }
            }
        }
        waiter.withLock { $0 = thread }
        try waitUntil("the server takes connections") {
            if case .failed(let error) = server.withLock({ $0 }) { throw error }
            do {
                _ = try connect()
                return true
            } catch is DatabaseError {
                return false
            }
        }
    }

    /// Stops the server at once, as a crash would.
    func stop() throws {
        try waitUntil("the server is gone") {
            switch server.withLock({ $0 }) {
            case .running(let program): program.signal(SIGQUIT)
            case .ended, .failed: return true
            case .starting: break
            }
            return false
        }
        waiter.withLock { $0.take() }?.join()
    }

    /// Stops the server and removes everything. Needed, because the thread that waits for the
    /// server keeps the cluster alive.
    func destroy() {
        try? stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A number that no other database of this cluster has.
    func nextDatabaseNumber() -> Int { databaseCount.add(1, ordering: .relaxed).newValue }
}

extension ScratchCluster {
    private static let folderPrefix = "starling-test-"

    /// PostgreSQL refuses to run as root.
    private static var privilegeDrop: [String] {
        guard getuid() == 0 else { return ["setpriv"] }
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    }

    private static func makeFolder() throws -> String {
        let root = NSTemporaryDirectory()  // ends in a slash
        var template = Array("\(root)\(folderPrefix)\(getpid())-XXXXXX".utf8CString)
        guard let made = unsafe mkdtemp(&template) else {
            throw Program.Failure(message: "cannot make a folder in \(root)")
        }
        let folder = unsafe String(cString: made)
        if getuid() == 0 {
            guard let entry = unsafe getpwnam("postgres") else {
                throw Program.Failure(message: "running as root, and there is no user postgres")
            }
            unsafe chown(folder, entry.pointee.pw_uid, entry.pointee.pw_gid)
        }
        return folder
    }

    /// Where `initdb` and `postgres` are: on the PATH, else the newest of Debian's versioned
    /// folders.
    private static func programFolder() throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let versions =
            (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let versioned = versions.compactMap { Int($0) }.sorted(by: >)
        let folders =
            path.split(separator: ":").map(String.init)
            + versioned.map { "/usr/lib/postgresql/\($0)/bin" }
        let found = folders.first { folder in
            ["initdb", "postgres"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)")
            }
        }
        guard let found else {
            throw Program.Failure(message: "initdb and postgres are not installed")
        }
        return found
    }

    /// Removes what test processes that were killed left behind.
    private static func removeLeftovers() {
        let root = NSTemporaryDirectory()  // ends in a slash
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for name in names where name.hasPrefix(folderPrefix) {
            let owner = name.dropFirst(folderPrefix.count).prefix { $0.isNumber }
            guard let processID = pid_t(owner), kill(processID, 0) == -1, errno == ESRCH else {
                continue
            }
            try? FileManager.default.removeItem(atPath: root + name)
        }
    }
}

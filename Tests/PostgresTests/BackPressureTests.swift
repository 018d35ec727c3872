// SPDX-License-Identifier: Apache-2.0
import Base
import Foundation
import Synchronization
import Testing

@testable import Postgres

// Goal: a server that stops reading stops us, and costs no memory. Method: SIGSTOP to the backend
// while far more is to be sent than the kernel and libpq may hold, and a count of what was taken.
struct BackPressureTests {
    /// A chunk in libpq, and what the kernel keeps for a Unix socket (208 KiB, counted with
    /// overhead).
    private static let heldSizeBytesMax = CopyLimits.sendBufferSizeBytesMax + (1 << 20)

    @Test func stoppedBackendIsNotFed() throws {
        let database = try ScratchDatabase(.empty)
        try database.connect().run("CREATE TABLE t (body bytea)")
        let copy = StoppedCopy(database, timeoutMs: 60_000)
        try waitUntil("the backend is stopped and the sender waits for it") {
            copy.isBackendStopped && copy.isSenderAsleep
        }
        #expect(copy.takenCount > 0)
        #expect(copy.takenSizeBytes <= BackPressureTests.heldSizeBytesMax)
        copy.resumeBackend()
        try copy.join()
        #expect(copy.error == nil)
        #expect(copy.takenCount == StoppedCopy.rowCount)
        #expect(try database.integer("SELECT count(*) FROM t") == StoppedCopy.rowCount)
    }

    @Test func deadlinePassesWhileTheBackendIsStopped() throws {
        let database = try ScratchDatabase(.empty)
        try database.connect().run("CREATE TABLE t (body bytea)")
        let copy = StoppedCopy(database, timeoutMs: 50)
        try copy.join()
        copy.resumeBackend()
        #expect(copy.error?.code == .timedOut)
        #expect(copy.error?.disposition == .reconnect)
        #expect(copy.error?.commitOutcomeUnknown == false)
        #expect(copy.takenSizeBytes <= BackPressureTests.heldSizeBytesMax)
    }
}

/// A COPY of 100 MiB on a thread of its own, whose backend is stopped when the first row is asked
/// for.
private final class StoppedCopy: Sendable {
    static let rowCount = 1_600
    static let rowSizeBytes = 64 << 10

    private let backendID = Atomic<Int32>(0)
    private let taken = Atomic<Int>(0)
    /// The thread that sends, as a folder of /proc.
    private let sender = Mutex<String>("")
    private let outcome = Mutex<Result<Void, any Error>?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ database: ScratchDatabase, timeoutMs: Int) {
        let sending = WorkerThread(name: "stopped-copy") { [self] in
            sender.withLock {
                let link = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/thread-self")
                $0 = "/proc/" + (link ?? "")
            }
            let result = Result { try send(to: database, timeoutMs: timeoutMs) }
            outcome.withLock { $0 = result }
        }
        thread.withLock { $0 = sending }
    }

    var takenCount: Int { taken.load(ordering: .relaxed) }
    var takenSizeBytes: Int { takenCount * StoppedCopy.rowSizeBytes }

    var isBackendStopped: Bool {
        let backend = backendID.load(ordering: .relaxed)
        return backend != 0 && StoppedCopy.state("/proc/\(backend)/stat") == "T"
    }

    var isSenderAsleep: Bool {
        takenCount > 0 && StoppedCopy.state(sender.withLock { $0 } + "/stat") == "S"
    }

    func resumeBackend() { kill(backendID.load(ordering: .relaxed), SIGCONT) }

    func join() throws {
        try waitUntil("the COPY is over") { outcome.withLock { $0 != nil } }
        thread.withLock { $0.take() }?.join()
    }

    /// Why the COPY failed, if it did. After `join()`.
    var error: DatabaseError? {
        guard case .failure(let error) = outcome.withLock({ $0 }) else { return nil }
        return error as? DatabaseError
    }

    private func send(to database: ScratchDatabase, timeoutMs: Int) throws {
        let session = try database.connect()
        session.connection.begin()
        try session.run("SELECT 1")
        backendID.store(session.connection.backendProcessID, ordering: .relaxed)
        let row = BinaryRows()
        row.append([[UInt8](repeating: 7, count: StoppedCopy.rowSizeBytes)])
        let whole = row.slice()
        let headerSizeBytes = 19
        let body = whole.slice(
            offset: headerSizeBytes, count: whole.count - headerSizeBytes - 2)
        let header = whole.slice(offset: 0, count: headerSizeBytes)
        let chunks = (0...StoppedCopy.rowCount).lazy.map { [self] index in
            if index == 0 { kill(backendID.load(ordering: .relaxed), SIGSTOP) }
            taken.store(index, ordering: .relaxed)
            return index == 0 ? header : body
        }
        try session.connection.copyIn(
            "COPY t FROM STDIN (FORMAT binary)", table: "t", chunks: chunks,
            deadlineNs: Deadline.inMs(timeoutMs))
        try session.connection.commit(deadlineNs: farDeadlineNs)
        withExtendedLifetime(row) {}
    }

    /// The letter in the third field of a stat file of /proc; the name before it is in parentheses.
    private static func state(_ path: String) -> Character? {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.first { $0 != " " }
    }
}

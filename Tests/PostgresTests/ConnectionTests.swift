// SPDX-License-Identifier: Apache-2.0
import Base
import Foundation
import Testing

@testable import Postgres

// Goal: a session is opened, used and given up as promised. Method: a real server, and its own view
// of its sessions (pg_stat_activity).
struct ConnectionTests {
    @Test func sessionIsSetUp() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        #expect(try session.text("SHOW client_encoding") == "UTF8")
        #expect(try session.text("SHOW application_name") == "starling")
        #expect(try session.text("SHOW statement_timeout") == "30s")
        #expect(session.connection.serverVersion >= 140_000)
        #expect(session.connection.endpoint.hasSuffix("/\(database.name)"))
        #expect(session.isUsable)
    }

    @Test func urlAndKeywordsMayNameTheSession() throws {
        let database = try ScratchDatabase(.empty)
        let host = database.cluster.folder.replacingOccurrences(of: "/", with: "%2F")
        var settings = database.settings
        settings.url = "postgresql://postgres@\(host)/\(database.name)?application_name=mine"
        let session = try Session(settings)
        #expect(try session.text("SHOW application_name") == "mine")
    }

    @Test func parametersArriveAsTheyAre() throws {
        let session = try ScratchDatabase(.empty).connect()
        var texts = ArrayParameter(.text)
        texts.append("a\u{0}b".utf8.map { $0 == 0 ? 0x63 : $0 } as [UInt8]?)
        texts.append(nil as String?)
        texts.append("")
        var numbers = ArrayParameter(.int8)
        for number in [Int64.min, -1, 0, .max] { numbers.append(number) }
        var parameters = QueryParameters()
        parameters.append(texts)
        parameters.append(numbers)
        parameters.append(ArrayParameter(.bytea))
        parameters.appendNull(.int4)
        parameters.append("ünïcode")
        let result = try session.connection.query(
            """
            SELECT array_to_string($1::text[], '|', 'NULL'), ($2::int8[])[1], ($2::int8[])[4],
                cardinality($3::bytea[]), $4::int4, $5::text, true, 7::int2
            """, parameters, deadlineNs: farDeadlineNs)
        #expect(result.rowCount == 1 && result.columnCount == 8)
        #expect(result.string(row: 0, column: 0) == "acb|NULL|")
        #expect(result.integer(row: 0, column: 1) == .min)
        #expect(result.integer(row: 0, column: 2) == .max)
        #expect(result.integer(row: 0, column: 3) == 0)
        #expect(result.isNull(row: 0, column: 4) && result.integer(row: 0, column: 4) == nil)
        #expect(result.string(row: 0, column: 5) == "ünïcode")
        #expect(result.bool(row: 0, column: 6) == true)
        #expect(result.integer(row: 0, column: 7) == 7)
    }

    @Test func serverErrorLeavesTheSessionUsable() throws {
        let session = try ScratchDatabase(.empty).connect()
        let error = #expect(throws: DatabaseError.self) { try session.run("SELECT 1; SELECT nope") }
        #expect(error?.sqlState == "42703")
        #expect(error?.disposition == .missingColumn)
        #expect(session.isUsable)
        #expect(try session.integer("SELECT 5") == 5)
    }

    @Test func noticesAreKeptNotPrinted() throws {
        let session = try ScratchDatabase(.empty).connect()
        for number in 1...9 { try session.run("DO $$ BEGIN RAISE WARNING 'n\(number)'; END $$") }
        #expect(session.connection.newestNotices.map(\.message) == (2...9).map { "n\($0)" })
        #expect(session.connection.newestNotices.first?.sqlState == "01000")
    }

    @Test func statementTimeoutIsTransient() throws {
        let database = try ScratchDatabase(.empty)
        var settings = database.settings
        settings.statementTimeoutMs = 1
        let session = try Session(settings)
        let error = #expect(throws: DatabaseError.self) { try session.run("SELECT pg_sleep(60)") }
        #expect(error?.sqlState == "57014")
        #expect(error?.disposition == .transient)
        #expect(session.isUsable)
    }

    @Test func stopSignalEndsAWait() throws {
        let database = try ScratchDatabase(.empty)
        let stop = StopSignal()
        let thread = WorkerThread(name: "stopper") {
            try? database.waitForSession(
                where: "query LIKE 'SELECT pg_sleep%' AND state = 'active'")
            stop.fire()
        }
        let session = try database.connect(stop: stop)
        let error = #expect(throws: DatabaseError.self) { try session.run("SELECT pg_sleep(60)") }
        thread.join()
        #expect(error?.disposition == .stopped)
        #expect(!session.isUsable)
        let again = #expect(throws: DatabaseError.self) { try session.run("SELECT 1") }
        #expect(again?.disposition == .reconnect)
    }

    @Test func deadlineEndsAWait() throws {
        let session = try ScratchDatabase(.empty).connect()
        let error = #expect(throws: DatabaseError.self) {
            try session.run("SELECT pg_sleep(60)", deadlineNs: Deadline.inMs(1))
        }
        #expect(error?.code == .timedOut)
        #expect(error?.disposition == .reconnect)
        #expect(!session.isUsable)
    }

    @Test func terminatedSessionIsNoticedWhileIdle() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        #expect(session.checkIdle())
        let processID = session.connection.backendProcessID
        #expect(try database.integer("SELECT pg_terminate_backend(\(processID), 30000)::int") == 1)
        try waitUntil("the end is noticed") { !session.checkIdle() }
        #expect(!session.isUsable)
    }

    @Test func terminatedSessionAsksForReconnect() throws {
        let database = try ScratchDatabase(.empty)
        let session = try database.connect()
        let processID = session.connection.backendProcessID
        #expect(try database.integer("SELECT pg_terminate_backend(\(processID), 30000)::int") == 1)
        let error = #expect(throws: DatabaseError.self) { try session.run("SELECT 1") }
        #expect(error?.disposition == .reconnect)
        #expect(error?.sqlState == "57P01")
        #expect(!session.isUsable)
    }

    @Test func unknownDatabaseIsFatal() throws {
        let error = #expect(throws: DatabaseError.self) {
            _ = try ScratchCluster.shared.connect("nope")
        }
        #expect(error?.code == .connectFailed)
        #expect(error?.sqlState == "3D000")
        #expect(error?.disposition == .fatal)
    }

    @Test(arguments: ["hosst=a", "host=a,b port=1,2,3", "postgresql://%zz", "host='"])
    func unusableURLIsFatal(url: String) throws {
        let error = #expect(throws: DatabaseError.self) {
            _ = try Session(DatabaseSettings(url: url))
        }
        #expect(error?.code == .badSettings)
        #expect(error?.disposition == .fatal)
    }

    @Test func errorsDoNotRepeatTheURL() throws {
        let settings = DatabaseSettings(url: "host=a password=correct horse")
        let error = #expect(throws: DatabaseError.self) { _ = try Session(settings) }
        #expect(error?.code == .badSettings)
        #expect(error?.message.contains("horse") == false)
    }

    @Test func serverEndsAStatementBeforeTheClientGivesUp() {
        var settings = DatabaseSettings(url: "", statementTimeoutMs: 1_000)
        #expect(settings.statementDeadlineNs > Deadline.inMs(1_000))
        settings.statementTimeoutMs = 0
        #expect(settings.statementDeadlineNs == .max)
    }

    @Test func nextHostIsTried() throws {
        let database = try ScratchDatabase(.empty)
        var settings = database.settings
        settings.url =
            "host=/nonexistent,\(database.cluster.folder) user=postgres dbname=\(database.name)"
        let session = try Session(settings)
        #expect(try session.integer("SELECT 1") == 1)
    }

    @Test func silentHostIsGivenUp() throws {
        let database = try ScratchDatabase(.empty)
        let listener = try SilentListener()
        var settings = database.settings
        settings.connectTimeoutMs = 50
        settings.url = """
            host=127.0.0.1,\(database.cluster.folder) port=\(listener.port),5432
            user=postgres dbname=\(database.name) sslmode=disable
            """
        // The second host gets a timeout of its own, which has to do for a real server.
        let session = try waitForConnection(settings)
        #expect(try session.integer("SELECT 1") == 1)
    }

    private func waitForConnection(_ settings: DatabaseSettings) throws -> Session {
        var settings = settings
        while true {
            do throws(DatabaseError) {
                return Session(try PGConnection.connect(settings, stop: StopSignal()))
            } catch {
                guard error.code == .timedOut, settings.connectTimeoutMs < 30_000 else {
                    throw error
                }
                settings.connectTimeoutMs *= 2
            }
        }
    }

    @Test func stoppedServerAsksForReconnect() throws {
        let cluster = try ScratchCluster()
        defer { cluster.destroy() }
        var session = try cluster.connect()
        try cluster.stop()
        let lost = #expect(throws: DatabaseError.self) { try session.run("SELECT 1") }
        #expect(lost?.disposition == .reconnect)
        let refused = #expect(throws: DatabaseError.self) { _ = try cluster.connect() }
        #expect(refused?.code == .connectFailed)
        #expect(refused?.disposition == .reconnect)
        try cluster.start()
        session = try cluster.connect()
        #expect(try session.integer("SELECT 1") == 1)
    }
}

/// A TCP port that takes connections and never says a word.
private final class SilentListener {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(descriptor, generic, size) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, generic, &size) == 0
            }
        }
        guard isListening else { throw Program.Failure(message: "cannot listen") }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Postgres

/// Looks at the database over a connection of its own, with short patience.
///
/// Ownership and thread: the observer's.
struct DatabaseProbe: ~Copyable {
    private let settings: DatabaseSettings
    private let stop: StopSignal
    private let aheadNsMin: UInt64
    private var connection: PGConnection?
    private var ahead: [DatabaseObservation.TableAhead] = []
    private var aheadDueNs: UInt64 = 0

    /// Longest that a look may take, to connect and again to ask.
    private static let patienceMs = 2_000
    /// Partitions change a few times a day.
    private static let aheadPeriodNs: UInt64 = 30_000_000_000

    enum Result {
        case answered(DatabaseLook, roundTripNs: UInt64)
        case failed(DatabaseError)
    }

    init(_ database: DatabaseSettings, aheadNsMin: UInt64, stop: StopSignal) {
        settings = DatabaseSettings(
            url: database.url,
            connectTimeoutMs: min(database.connectTimeoutMs, DatabaseProbe.patienceMs),
            statementTimeoutMs: DatabaseProbe.patienceMs, applicationName: "starling health")
        self.aheadNsMin = aheadNsMin
        self.stop = stop
    }

    /// The tables' look-ahead as of the last time that it was asked for, less what has passed.
    func partitionsAhead(nowNs: UInt64) -> [DatabaseObservation.TableAhead] {
        let askedNs = aheadDueNs - min(aheadDueNs, DatabaseProbe.aheadPeriodNs)
        let passedNs = nowNs - min(askedNs, nowNs)
        return ahead.map {
            .init(table: $0.table, aheadNs: $0.aheadNs - min(passedNs, $0.aheadNs))
        }
    }

    mutating func look() -> Result {
        do throws(DatabaseError) {
            if !(connection?.checkIdle() ?? false) {
                connection = nil
                connection = try PGConnection.connect(
                    settings, stop: stop, deadlineNs: Deadline.inMs(2 * DatabaseProbe.patienceMs))
            }
            guard var current = connection.take() else { preconditionFailure("just connected") }
            let startNs = Clock.monotonicNs
            let look = try current.look(deadlineNs: settings.statementDeadlineNs)
            let roundTripNs = Clock.monotonicNs - startNs
            lookAhead(on: &current)
            connection = consume current
            return .answered(look, roundTripNs: roundTripNs)
        } catch {
            return .failed(error)
        }
    }

    /// What cannot be asked now stays as it was known: the server has answered already.
    private mutating func lookAhead(on connection: inout PGConnection) {
        let nowNs = Clock.monotonicNs
        let isShort = ahead.isEmpty || ahead.contains { $0.aheadNs < aheadNsMin }
        guard nowNs >= aheadDueNs || isShort else { return }
        var found: [DatabaseObservation.TableAhead] = []
        do throws(DatabaseError) {
            for table in FactTable.allCases {
                let aheadNs = try connection.partitionsAheadNs(
                    table: table.name, nowUnixNs: Int64(Clock.unixNs),
                    deadlineNs: settings.statementDeadlineNs)
                found.append(.init(table: table.name, aheadNs: aheadNs))
            }
        } catch { return }
        ahead = found
        aheadDueNs = nowNs + DatabaseProbe.aheadPeriodNs
    }
}

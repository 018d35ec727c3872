// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A body of JSON with the status that it is sent with.
struct HealthAnswer {
    let isOK: Bool
    let body: JSONText

    /// `/livez`, `/readyz`: each check, and whether all pass.
    static func ofChecks(_ checks: [HealthCheck]) -> HealthAnswer {
        let isOK = checks.allSatisfy(\.isOK)
        let list = checks.map { check in
            JSONText.object([
                ("name", .text(check.name)), ("status", .text(check.isOK ? "ok" : "failing")),
                ("detail", .text(check.detail)),
            ])
        }
        return HealthAnswer(
            isOK: isOK,
            body: .object([("status", .text(isOK ? "ok" : "failing")), ("checks", .list(list))]))
    }

    /// `/health`: the whole in short. Fails where readiness or liveness fails.
    static func ofDaemon(_ daemon: DaemonObservation) -> HealthAnswer {
        let checks = Liveness.checks(of: daemon) + Readiness.checks(of: daemon)
        let isOK = checks.allSatisfy(\.isOK)
        let status = daemon.stage == .draining ? "draining" : isOK ? "ok" : "failing"
        return HealthAnswer(
            isOK: isOK,
            body: .object([
                ("status", .text(status)), ("version", .text(daemon.version)),
                ("uptime_seconds", .number(Int64(daemon.uptimeNs / 1_000_000_000))),
                ("database", .text(daemon.database.state.rawValue)),
                ("breaker", StatusBody.breaker(daemon.breaker)),
                ("spool", daemon.spool.map(StatusBody.spool) ?? .null),
                ("failing", .list(checks.filter { !$0.isOK }.map { .text($0.name) })),
            ]))
    }

    /// `/health/db`: the latest look at the database.
    static func ofDatabase(_ database: DatabaseObservation) -> HealthAnswer {
        let isFresh =
            database.answeredAgeNs.map { $0 <= Readiness.answeredAgeNsMax } ?? false
        let isOK = database.state == .ok && isFresh
        let state = database.state == .ok && !isFresh ? DatabaseState.down : database.state
        return HealthAnswer(isOK: isOK, body: .object(databaseMembers(database, state: state)))
    }

    static func databaseMembers(
        _ database: DatabaseObservation, state: DatabaseState
    ) -> [(String, JSONText)] {
        [
            ("status", .text(state.rawValue)), ("reason", .text(database.reason)),
            ("status_age_seconds", .decimal(seconds(database.stateAgeNs))),
            ("answered_age_seconds", .decimal(database.answeredAgeNs.map(seconds))),
            ("round_trip_ms", .decimal(database.roundTripNs.map(milliseconds))),
            ("server_version", .text(database.serverVersion)),
            (
                "schema",
                .object([
                    ("version", .number(database.schemaVersion)),
                    ("wanted", .number(Int64(database.schemaVersionWanted))),
                ])
            ),
            (
                "partitions_ahead_seconds",
                .object(
                    database.partitionsAhead.map {
                        ($0.table, .number(Int64($0.aheadNs / 1_000_000_000)))
                    })
            ),
        ]
    }

    /// Three decimals.
    static func seconds(_ nanoseconds: UInt64) -> Double {
        Double(nanoseconds / 1_000_000) / 1_000
    }

    /// Three decimals.
    static func milliseconds(_ nanoseconds: UInt64) -> Double {
        Double(nanoseconds / 1_000) / 1_000
    }
}

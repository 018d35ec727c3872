// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Web

// Goal: readiness and health fail for the right reason. Method: a daemon that is well, with one
// thing changed to either side of its limit.

private func wellDaemon() -> DaemonObservation {
    var daemon = DaemonObservation()
    daemon.database.state = .ok
    daemon.database.answeredAgeNs = 1_000_000_000
    daemon.database.schemaVersion = 6
    daemon.database.schemaVersionWanted = 6
    daemon.database.partitionsAheadNsMin = 100
    daemon.database.partitionsAhead = [
        .init(table: "a", aheadNs: 100), .init(table: "b", aheadNs: 200),
    ]
    return daemon
}

private typealias Change = @Sendable (inout DaemonObservation) -> Void

private let cases: [(change: Change, failing: [String])] = [
    ({ _ in }, []),
    ({ $0.stage = .draining }, ["serving"]),
    ({ $0.database.state = .unknown }, ["database"]),
    ({ $0.database.state = .down }, ["database"]),
    ({ $0.database.state = .readOnly }, ["database"]),
    ({ $0.database.state = .diskFull }, ["database"]),
    ({ $0.database.state = .migrating }, []),
    ({ $0.database.answeredAgeNs = nil }, ["database"]),
    ({ $0.database.answeredAgeNs = Readiness.answeredAgeNsMax }, []),
    ({ $0.database.answeredAgeNs = Readiness.answeredAgeNsMax + 1 }, ["database"]),
    ({ $0.database.schemaVersion = nil }, ["schema"]),
    ({ $0.database.schemaVersion = 5 }, ["schema"]),
    ({ $0.database.schemaVersion = 7 }, []),
    ({ $0.database.partitionsAhead = [] }, ["partitions"]),
    ({ $0.database.partitionsAhead[1] = .init(table: "b", aheadNs: 99) }, ["partitions"]),
    (
        {
            $0.database.partitionsAhead = []
            $0.database.partitionsAheadNsMin = 0
        }, []
    ),
    ({ $0.commits.lastAgeNs = .max }, []),
    ({ $0.commits.failingForNs = Readiness.failingNsMax }, []),
    ({ $0.commits.failingForNs = Readiness.failingNsMax + 1 }, ["commits"]),
    (
        {
            $0.stage = .draining
            $0.database.state = .down
        }, ["serving", "database"]
    ),
]

@Suite struct ReadinessTests {
    @Test(arguments: cases.indices)
    func checksFailWhereTheyShould(index: Int) {
        var daemon = wellDaemon()
        cases[index].change(&daemon)
        let checks = Readiness.checks(of: daemon)
        #expect(checks.filter { !$0.isOK }.map(\.name) == cases[index].failing)
        #expect(checks.map(\.name) == ["serving", "database", "schema", "partitions", "commits"])
        #expect(HealthAnswer.ofChecks(checks).isOK == cases[index].failing.isEmpty)
        #expect(HealthAnswer.ofDaemon(daemon).isOK == cases[index].failing.isEmpty)
    }

    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
    func livenessIsOfLoopsAndWriters(isLoopStalled: Bool, isWriterStalled: Bool) {
        var daemon = wellDaemon()
        daemon.loops.isStalled = isLoopStalled
        daemon.writers.isStalled = isWriterStalled
        let checks = Liveness.checks(of: daemon)
        #expect(checks.map(\.isOK) == [!isLoopStalled, !isWriterStalled])
        #expect(HealthAnswer.ofDaemon(daemon).isOK == (!isLoopStalled && !isWriterStalled))
    }

    @Test(arguments: DatabaseState.allCases)
    func databaseIsWellInOneStateOnly(state: DatabaseState) {
        var daemon = wellDaemon()
        daemon.database.state = state
        let answer = HealthAnswer.ofDatabase(daemon.database)
        #expect(answer.isOK == (state == .ok))
        #expect(answer.body.description.hasPrefix("{\"status\":\"\(state.rawValue)\","))
    }

    @Test func databaseThatNoLongerAnswersIsDown() {
        var daemon = wellDaemon()
        daemon.database.answeredAgeNs = Readiness.answeredAgeNsMax + 1
        let answer = HealthAnswer.ofDatabase(daemon.database)
        #expect(!answer.isOK)
        #expect(answer.body.description.hasPrefix("{\"status\":\"down\","))
    }

    @Test(
        arguments: [
            (0, "0 ms"), (999_999_999, "999 ms"), (1_000_000_000, "1 s"),
            (119_999_999_999, "119 s"),
            (120_000_000_000, "2 min"), (7_199_000_000_000, "119 min"), (7_200_000_000_000, "2 h"),
            (172_799_000_000_000, "47 h"), (172_800_000_000_000, "2 d"),
        ] as [(UInt64, String)])
    func durations(nanoseconds: UInt64, text: String) {
        #expect(Readiness.text(nanoseconds) == text)
    }
}

@Suite struct StatusTests {
    @Test func screenAndBodySayTheSame() {
        var daemon = wellDaemon()
        daemon.version = "1.2.3"
        daemon.listeners = [
            .init(name: "grpc", address: "h:1"), .init(name: "api", address: "h:2"),
        ]
        daemon.memory.inUseBytes = 3 << 19
        daemon.memory.limitBytes = 256 << 20
        daemon.counters.add(.spansReceived, 5_120)
        let screen = StatusScreen.text(daemon)
        #expect(screen.hasPrefix("Starling 1.2.3, serving for 0 ms\n"))
        #expect(screen.contains("  endpoints    grpc h:1, api h:2\n  ready        yes\n"))
        #expect(screen.contains("  memory       1.5 MiB of 256.0 MiB for requests"))
        #expect(screen.contains("5120"))
        let body = StatusBody.json(daemon).description
        #expect(body.contains("\"ready\":true,\"not_ready\":[]"))
        #expect(body.contains("\"used_bytes\":1572864"))
        #expect(body.contains("\"traces\":{\"received\":5120,"))
    }

    @Test func reasonsAreShown() {
        var daemon = wellDaemon()
        daemon.database.state = .down
        daemon.database.reason = "it is \"away\""
        #expect(StatusScreen.text(daemon).contains("ready        no\n"))
        #expect(StatusScreen.text(daemon).contains("database: it is \"away\"\n"))
        #expect(
            StatusBody.json(daemon).description.contains(
                "{\"check\":\"database\",\"detail\":\"it is \\\"away\\\"\"}"))
    }
}

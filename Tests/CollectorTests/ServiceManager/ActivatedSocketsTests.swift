// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

// Goal: a socket is taken over only by the process that it is for, under a name that is known.

@Suite struct ActivatedSocketsTests {
    private func sockets(
        _ count: String, _ names: String?, pid: String = "7"
    ) throws -> ActivatedSockets {
        var environment = ["LISTEN_FDS": count, "LISTEN_PID": pid]
        environment["LISTEN_FDNAMES"] = names
        return try ActivatedSockets(environment: environment, processID: 7)
    }

    @Test func descriptorsBeginAtThree() throws {
        var sockets = try sockets("2", "http:grpc")
        let taken = [sockets.take(.grpc), sockets.take(.grpc), sockets.take(.http)]
        #expect(taken == [4, nil, 3])
    }

    @Test(arguments: ["8", "", "seven"])
    func thoseOfAnotherProcessAreNotOurs(pid: String) throws {
        #expect(try sockets("1", "grpc", pid: pid) == ActivatedSockets())
    }

    @Test func noneIsNone() throws {
        #expect(try sockets("0", nil) == ActivatedSockets())
        #expect(try ActivatedSockets(environment: [:], processID: 7) == ActivatedSockets())
    }

    @Test(
        arguments: [
            ("1", nil), ("1", "starling.socket"), ("1", ""), ("2", "grpc"), ("2", "grpc:grpc"),
            ("-1", "grpc"), ("1", "api"), ("2", "grpc:jaeger"), ("one", "grpc"), ("17", "grpc"),
        ] as [(String, String?)])
    func whatIsNotUnderstoodIsAnError(count: String, names: String?) {
        #expect(throws: DaemonError.self) { try sockets(count, names) }
    }
}

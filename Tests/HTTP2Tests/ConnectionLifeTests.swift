// SPDX-License-Identifier: Apache-2.0
import HTTP2
import Testing

// Goal: each time of a connection ends it at its limit and not before. Method: a made-up clock in
// seconds, both sides of each limit.

private let secondNs: UInt64 = 1_000_000_000

@Suite struct ConnectionLifeTests {
    private var facts = ConnectionLife.Facts(
        hasPeerSettings: true, areSettingsAcknowledged: true, headerBlock: 0, openStreamCount: 0,
        streamCount: 0,
        lastReceivedNs: 0)

    private func life(
        jitter: Double = 0.5, _ change: (inout ConnectionTimes) -> Void = { _ in }
    ) -> ConnectionLife {
        var times = ConnectionTimes()
        times.keepaliveIntervalNs = 0
        times.idleNsMax = 0
        change(&times)
        return ConnectionLife(times, beganNs: 0, jitter: jitter)
    }

    @Test mutating func handshake() {
        var life = life()
        facts.hasPeerSettings = false
        #expect(life.tick(nowNs: 10 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 10 * secondNs + 1, facts) == .end(.slowHandshake))
    }

    @Test mutating func acknowledgementMayTakeLonger() {
        var life = life()
        facts.areSettingsAcknowledged = false
        #expect(life.tick(nowNs: 30 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 30 * secondNs + 1, facts) == .end(.slowHandshake))
    }

    @Test mutating func headerBlock() {
        var life = life()
        facts.headerBlock = 1
        #expect(life.tick(nowNs: 100 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 110 * secondNs, facts) == .none)
        // Another one, with a time of its own.
        facts.headerBlock = 2
        #expect(life.tick(nowNs: 111 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 121 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 121 * secondNs + 1, facts) == .end(.slowHeaders))
    }

    @Test func noHeaderBlockIsNeverSlow() {
        var life = life()
        #expect(life.tick(nowNs: 100 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 200 * secondNs, facts) == .none)
    }

    @Test mutating func idleCountsFromTheLastRequest() {
        var life = life { $0.idleNsMax = 60 * secondNs }
        facts.openStreamCount = 1
        #expect(life.tick(nowNs: 100 * secondNs, facts) == .none)
        facts.openStreamCount = 0
        #expect(life.tick(nowNs: 150 * secondNs, facts) == .none)
        // Begun and ended between two looks.
        facts.streamCount = 7
        #expect(life.tick(nowNs: 155 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 215 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 215 * secondNs + 1, facts) == .retire(.idle))
    }

    @Test(arguments: [(0.0, 90), (0.5, 100), (1.0, 110)] as [(Double, UInt64)])
    mutating func ageGivesOrTakesATenth(jitter: Double, seconds: UInt64) {
        var life = life(jitter: jitter) {
            $0.ageNsMax = 100 * secondNs
            $0.graceNs = 5 * secondNs
        }
        facts.openStreamCount = 1
        #expect(life.tick(nowNs: seconds * secondNs - secondNs, facts) == .none)
        let agedNs = (seconds + 1) * secondNs
        #expect(life.tick(nowNs: agedNs, facts) == .retire(.age))
        #expect(life.tick(nowNs: agedNs + 5 * secondNs - 1, facts) == .none)
        #expect(life.tick(nowNs: agedNs + 5 * secondNs, facts) == .cut)
    }

    @Test mutating func keepaliveAsksOnceAndBelievesTheAnswer() {
        var life = life {
            $0.keepaliveIntervalNs = 30 * secondNs
            $0.keepaliveNsMax = 10 * secondNs
        }
        #expect(life.tick(nowNs: 30 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 31 * secondNs, facts) == .ping)
        #expect(life.tick(nowNs: 35 * secondNs, facts) == .none)
        facts.lastReceivedNs = 36 * secondNs
        #expect(life.tick(nowNs: 60 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 67 * secondNs, facts) == .ping)
        #expect(life.tick(nowNs: 77 * secondNs, facts) == .none)
        #expect(life.tick(nowNs: 77 * secondNs + 1, facts) == .end(.keepalive))
    }

    @Test mutating func whatArrivesIsASignOfLife() {
        var life = life { $0.keepaliveIntervalNs = 30 * secondNs }
        for second in stride(from: UInt64(10), to: 1_000, by: 10) {
            facts.lastReceivedNs = second * secondNs
            #expect(life.tick(nowNs: second * secondNs + 1, facts) == .none)
        }
    }
}

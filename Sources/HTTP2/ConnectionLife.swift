// SPDX-License-Identifier: Apache-2.0

/// How long a connection may be in each of its phases. 0 is for ever, where that is said.
package struct ConnectionTimes: Sendable, Equatable {
    /// `connections.handshake_timeout`. From the beginning until the peer's SETTINGS are here. Ours
    /// may take three times as long to be acknowledged: a client that is busy with a large first
    /// request reads late.
    package var handshakeNsMax: UInt64 = 10_000_000_000
    /// The same key. From the beginning of a header block to its end.
    package var headerBlockNsMax: UInt64 = 10_000_000_000
    /// `connections.keepalive_interval`. Silence after which a PING asks whether anybody is there;
    /// 0 is never.
    package var keepaliveIntervalNs: UInt64 = 120_000_000_000
    /// `connections.keepalive_timeout`. Silence after that PING which means that nobody is.
    package var keepaliveNsMax: UInt64 = 20_000_000_000
    /// `connections.idle_timeout`. Without a request, 0 is for ever.
    package var idleNsMax: UInt64 = 600_000_000_000
    /// `connections.age_max`. Give or take a tenth, so that clients that came together do not
    /// leave together; 0 is for ever.
    package var ageNsMax: UInt64 = 0
    /// `connections.age_grace`. For what is in flight when age or idleness ends a connection.
    package var graceNs: UInt64 = 30_000_000_000

    package init() {}
}

/// Watches the times of one connection. A value that decides, and leaves the doing to others; the
/// caller brings the time and what is known about the session.
package struct ConnectionLife {
    package enum Action: Equatable {
        case none
        /// Ask whether the peer is there.
        case ping
        /// End it gracefully.
        case retire(Retirement)
        /// Gracefully is over: end it.
        case cut
        /// End it with an error.
        case end(Abuse)
    }

    package enum Retirement: Equatable, Sendable { case age, idle }

    /// What a session is doing.
    package struct Facts {
        package var hasPeerSettings: Bool
        package var areSettingsAcknowledged: Bool
        /// Which header block is being received, counted from 1; 0 for none.
        package var headerBlock: UInt64
        package var openStreamCount: Int
        /// Streams opened so far: many begin and end between two looks.
        package var streamCount: UInt64
        package var lastReceivedNs: UInt64

        package init(
            hasPeerSettings: Bool, areSettingsAcknowledged: Bool, headerBlock: UInt64,
            openStreamCount: Int, streamCount: UInt64, lastReceivedNs: UInt64
        ) {
            self.hasPeerSettings = hasPeerSettings
            self.areSettingsAcknowledged = areSettingsAcknowledged
            self.headerBlock = headerBlock
            self.openStreamCount = openStreamCount
            self.streamCount = streamCount
            self.lastReceivedNs = lastReceivedNs
        }
    }

    private let times: ConnectionTimes
    private let beganNs: UInt64
    private let agedAtNs: UInt64
    private var headerBlock: UInt64 = 0
    private var headerBlockSinceNs: UInt64 = 0
    private var idleSinceNs: UInt64
    private var streamCount: UInt64 = 0
    private var pingedNs: UInt64 = 0
    private var graceEndsNs: UInt64 = .max

    /// `jitter` is 0...1 and moves the age from nine tenths to eleven.
    package init(_ times: ConnectionTimes, beganNs: UInt64, jitter: Double) {
        self.times = times
        self.beganNs = beganNs
        idleSinceNs = beganNs
        let ageNs = Double(times.ageNsMax) * (0.9 + 0.2 * jitter)
        agedAtNs = times.ageNsMax == 0 ? .max : beganNs + UInt64(ageNs)
    }

    /// What is to be done at `nowNs`. Call about ten times a second.
    package mutating func tick(nowNs: UInt64, _ facts: Facts) -> Action {
        if graceEndsNs != .max { return nowNs >= graceEndsNs ? .cut : .none }
        if isHandshakeSlow(nowNs: nowNs, facts) { return .end(.slowHandshake) }
        if isHeaderBlockSlow(nowNs: nowNs, facts) { return .end(.slowHeaders) }
        if let retirement = retirement(nowNs: nowNs, facts) {
            graceEndsNs = nowNs + times.graceNs
            return .retire(retirement)
        }
        return keepalive(nowNs: nowNs, facts)
    }

    private func isHandshakeSlow(nowNs: UInt64, _ facts: Facts) -> Bool {
        if !facts.hasPeerSettings { return nowNs > beganNs + times.handshakeNsMax }
        return !facts.areSettingsAcknowledged && nowNs > beganNs + 3 * times.handshakeNsMax
    }

    private mutating func isHeaderBlockSlow(nowNs: UInt64, _ facts: Facts) -> Bool {
        if facts.headerBlock != headerBlock {
            headerBlock = facts.headerBlock
            headerBlockSinceNs = nowNs
        }
        return headerBlock != 0 && nowNs > headerBlockSinceNs + times.headerBlockNsMax
    }

    private mutating func retirement(nowNs: UInt64, _ facts: Facts) -> Retirement? {
        if facts.openStreamCount > 0 || facts.streamCount != streamCount {
            streamCount = facts.streamCount
            idleSinceNs = nowNs
        }
        if nowNs >= agedAtNs { return .age }
        guard times.idleNsMax > 0, nowNs > idleSinceNs + times.idleNsMax else { return nil }
        return .idle
    }

    private mutating func keepalive(nowNs: UInt64, _ facts: Facts) -> Action {
        guard times.keepaliveIntervalNs > 0, facts.hasPeerSettings else { return .none }
        if pingedNs != 0, facts.lastReceivedNs <= pingedNs {
            return nowNs > pingedNs + times.keepaliveNsMax ? .end(.keepalive) : .none
        }
        pingedNs = 0
        guard nowNs > facts.lastReceivedNs + times.keepaliveIntervalNs else { return .none }
        pingedNs = nowNs
        return .ping
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Counts what a peer sends that carries no request, and says when it is too much.
///
/// What counts is the rate, and what we send pays for it: gRPC clients send a PING and
/// WINDOW_UPDATEs after each answer (to measure the path), so any limit on these alone would end
/// good connections.
struct FrameMeter {
    private var pings: TokenBucket
    private var settings: TokenBucket
    private var controlFrames: TokenBucket
    private var resets: TokenBucket
    private var invalidFrames: TokenBucket
    private var headerLists: TokenBucket

    /// Control frames that one frame of an answer pays for.
    private static let controlFramesPerAnswerFrame: UInt64 = 10

    init(_ settings: HTTP2Settings) {
        pings = TokenBucket(settings.pings)
        self.settings = TokenBucket(settings.settingsFrames)
        controlFrames = TokenBucket(settings.controlFrames)
        resets = TokenBucket(settings.resets)
        invalidFrames = TokenBucket(settings.invalidFrames)
        headerLists = TokenBucket(settings.headerLists)
    }

    /// What the peer has too much of now, nil where that is all right.
    mutating func count(_ event: Event, nowNs: UInt64) -> Abuse? {
        switch event {
        case .ping: pings.take(nowNs: nowNs) ? nil : .pings
        case .settings: settings.take(nowNs: nowNs) ? nil : .settings
        case .controlFrame: controlFrames.take(nowNs: nowNs) ? nil : .controlFrames
        case .reset: resets.take(nowNs: nowNs) ? nil : .resets
        case .invalidFrame: invalidFrames.take(nowNs: nowNs) ? nil : .invalidFrames
        case .headerList: headerLists.take(nowNs: nowNs) ? nil : .headerLists
        }
    }

    enum Event {
        case ping, settings, controlFrame, reset, invalidFrame, headerList
    }

    /// HEADERS or DATA went out.
    mutating func answered() {
        pings.refill()
        controlFrames.putBack(FrameMeter.controlFramesPerAnswerFrame)
    }
}

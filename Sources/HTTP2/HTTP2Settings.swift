// SPDX-License-Identifier: Apache-2.0

/// What one HTTP/2 session grants its peer, and what it bears from it. `docs/security.md` lists
/// these limits with their reasons.
package struct HTTP2Settings: Sendable {
    /// Streams that the peer may have open at once. More is a connection error (RFC 9113 §5.1.2),
    /// so admission is done above, with a status that says "try again".
    package var concurrentStreamsMax = 128
    /// Bytes of body that one stream may send ahead of our credit.
    package var streamWindowBytes = 1 << 20
    /// The same for all streams of the connection together.
    package var connectionWindowBytes = 8 << 20
    /// Sum of name + value + 32 over the header fields of one request (RFC 9113 §6.5.2).
    package var headerListBytesMax = 16 << 10
    /// Header fields of one request.
    package var headerCountMax = 100
    /// Frames waiting to be sent, beyond which the peer is not reading what it causes.
    package var outboundFramesMax = 1_000
    /// Acknowledgements of PING and SETTINGS waiting to be sent.
    package var outboundAcksMax = 100
    /// PING frames. Each frame of an answer brings all tokens back.
    package var pings = RateLimit(burst: 20, intervalNs: 5_000_000_000)
    /// SETTINGS frames.
    package var settingsFrames = RateLimit.perSecond(1, burst: 50)
    /// Frames other than HEADERS and DATA, and DATA of fewer than `smallDataSizeBytes`. Each frame
    /// of an answer brings ten tokens back.
    package var controlFrames = RateLimit.perSecond(1_000, burst: 2_000)
    /// Streams that the peer resets.
    package var resets = RateLimit.perSecond(200, burst: 2_000)
    /// Frames that break the protocol without ending the connection, and resets that they cause.
    package var invalidFrames = RateLimit.perSecond(1, burst: 100)
    /// Header lists over `headerListBytesMax` or `headerCountMax`.
    package var headerLists = RateLimit(burst: 10, intervalNs: 10_000_000_000)
    /// DATA frames without bytes that do not end the stream, per stream.
    package var emptyDataFramesMax = 100
    /// DATA frames of fewer bytes that do not end their stream count as control frames.
    package static let smallDataSizeBytes = 64

    package init() {}
}

// SPDX-License-Identifier: Apache-2.0

/// What one HTTP/2 session grants its peer, and what it bears from it.
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
    /// Stream resets by the peer: burst, and refill per second.
    package var resetBurst = 2_000
    package var resetsPerSecond = 200
    /// DATA frames without bytes that do not end the stream, per stream.
    package var emptyDataFramesMax = 100
    /// Frames per connection that break the protocol without ending it.
    package var invalidFramesMax = 100

    package init() {}
}

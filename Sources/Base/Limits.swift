// SPDX-License-Identifier: Apache-2.0

/// Bounds that are not configuration, and the sums that hold between them.
package enum Limits {
    /// Levels of AnyValue inside one another. protobuf-c uses about 2 KB of stack for each.
    package static let anyValueDepthMax = 64
    /// Spans, log records or data points in one request.
    package static let itemCountMax = 1_000_000
    /// Items of one request that are kept as dead letters; with more faulty ones it is refused. A
    /// letter costs a writer 10 µs, and an item that is faulty its sender two bytes.
    package static let deadItemCountMax = 20_000
    /// Attributes of one owner (resource, scope, item, event, link, exemplar, list of pairs).
    package static let attributeCountMax = 4_096
    /// Sizes of text that the daemon sends back to a client.
    package static let messageSizeBytesMax = 512
    /// Stack of every thread that may decode.
    package static let decodeStackSizeBytes = 1 << 20
    /// Stack that protobuf-c needs per level (measured 1.94 KB), doubled.
    package static let decodeStackPerLevelBytes = 4_096
    /// Requests larger than this, inflated, are decoded away from the event loop, so that no other
    /// connection's answer waits for them: at 150 MB/s, 512 KiB are 3.5 ms.
    package static let inlineDecodeSizeBytesMax = 512 << 10
    /// Likewise requests that take more memory than this once they are unpacked.
    package static let inlineUnpackedSizeBytesMax = 4 << 20
    /// Bytes per second that one connection may have its loop make beyond four for each byte that
    /// it sends (see `WorkAllowance`): at 3 to 10 ns each, 5 to 16 % of a core.
    package static let inlineMadeBytesPerSecond = 16 << 20
    /// So much of that may come at once, and one request.
    package static let inlineMadeBurstSizeBytes = 512 << 10
    /// Retry hints stay in the range in which SDKs still retry within their own 10 s.
    package static let retryAfterMsMin = 1_000
    package static let retryAfterMsMax = 5_000

    /// Each level of AnyValue is two of protobuf-c (the value and its list), and three at most
    /// (KeyValue).
    package static func checkSums() {
        precondition(anyValueDepthMax * 3 * decodeStackPerLevelBytes <= decodeStackSizeBytes)
        precondition(retryAfterMsMin <= retryAfterMsMax)
    }
}

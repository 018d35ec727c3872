// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Bounds of the service map, and what it goes by.
package enum ServiceEdgeLimits {
    package static let minuteNs: Int64 = 60_000_000_000
    package static let hourNs = 60 * minuteNs
    /// From the end of a minute to the first look at it: spans come when they end, in batches.
    package static let closeAfterNs: Int64 = minuteNs
    /// The begin of the newest minute that has been over for that long.
    static func lastClosedMinuteNs(nowUnixNs: Int64) -> Int64 {
        (nowUnixNs - closeAfterNs) / minuteNs * minuteNs - minuteNs
    }
    /// From the end of a minute to further looks, for spans that came late. After the last, what
    /// comes is in no map.
    package static let looksAfterNs: [Int64] = [
        closeAfterNs, 10 * minuteNs, 60 * minuteNs, 6 * 60 * minuteNs, windowNs - 10 * minuteNs,
    ]
    /// Minutes that ended longer ago are not looked at.
    package static let windowNs: Int64 = 24 * 60 * minuteNs
    /// Edges of one minute; those with the fewest calls are left out.
    package static let edgesPerMinuteMax = 2_000
    /// Edges of one hour and tenant; those with the fewest calls are left out.
    static let edgesPerHourMax = 20_000
    /// Edges whose durations are added up at a time, for an hour: 10 MB.
    static let latenciesAtOnceMax = 5_000
    /// Minutes of which one statement reads durations: 31 MB if all edges have all buckets.
    static let latencyMinutesMax: Int64 = 10
    /// Rows of `otel_service_figures` of one minute; those with the fewest calls are left out.
    static let figuresPerMinuteMax = 5_000
    /// Rows of `otel_service_hour_figures` of one hour: in an hour, a service is seen with more
    /// kinds of spans than in a minute.
    static let figuresPerHourMax = 20_000
    /// Minutes of which one statement computes figures.
    static let figureMinutesMax = 60
    /// What such a statement should take: the next one has more or fewer minutes by that.
    static let figureStatementMs = 2_000
    /// Minutes that one run looks at.
    static let minutesPerRunMax = 120
    /// What one run may take; it begins no minute after that.
    static let runMs = 15_000
    /// What the server gives the statements of one minute.
    static let minuteTimeoutMs = 20_000
    /// How much earlier than its child a parent may have begun, and how much later a child.
    static let parentWindowNs: Int64 = 60 * minuteNs
    static let childWindowNs: Int64 = 10 * minuteNs
    /// How far clocks of two services may be apart.
    static let clockSkewNs: Int64 = 10_000_000_000
    /// How much earlier than its consumer a linked span may have begun.
    static let linkWindowNs: Int64 = 24 * 60 * minuteNs
    /// Links of one consumer span that are followed.
    static let linksPerSpanMax = 128
    /// Characters of a name; longer ones are cut.
    static let nameLengthMax = 200
    /// Buckets of durations: 2^10 ns to 2^42 ns, eight to the power of two.
    package static let latencyBuckets = 79...335
}

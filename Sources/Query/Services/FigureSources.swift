// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// What the figures of a range of time are added up from: the hours and minutes that have been
/// computed, and the spans of what is left.
struct FigureSources: Equatable {
    /// Ascending; no two overlap.
    private(set) var hours: [ComputedPeriod] = []
    private(set) var minutes: [ComputedPeriod] = []
    /// The rest of the range, ascending.
    private(set) var gaps: [TimeRange] = []
    /// Rows that were left out of what has been computed.
    private(set) var omittedCount: Int64 = 0

    /// The spans of all of `range`.
    init(spansOf range: TimeRange) { gaps = [range] }

    /// `periods` ascend, do not overlap, and lie in `range`.
    init(_ range: TimeRange, periods: [ComputedPeriod], omittedCount: Int64 = 0) {
        self.omittedCount = omittedCount
        var fromNs = range.startUnixNs
        for period in periods {
            if fromNs < period.startUnixNs {
                gaps.append(TimeRange(startUnixNs: fromNs, endUnixNs: period.startUnixNs))
            }
            fromNs = period.endUnixNs
            if period.lengthNs == ServiceEdgeLimits.hourNs {
                hours.append(period)
            } else {
                minutes.append(period)
            }
        }
        if fromNs < range.endUnixNs {
            gaps.append(TimeRange(startUnixNs: fromNs, endUnixNs: range.endUnixNs))
        }
    }

    /// The same with one gap from the first to the last.
    func withOneGap() -> FigureSources {
        guard let first = gaps.first, let last = gaps.last, gaps.count > 1 else { return self }
        var sources = self
        let gap = TimeRange(startUnixNs: first.startUnixNs, endUnixNs: last.endUnixNs)
        let isOutside = { (period: ComputedPeriod) in
            period.endUnixNs <= gap.startUnixNs || period.startUnixNs >= gap.endUnixNs
        }
        sources.hours = hours.filter(isOutside)
        sources.minutes = minutes.filter(isOutside)
        sources.gaps = [gap]
        return sources
    }

    /// Looks up what has been computed. Hours are taken where they are whole and `usesHours` is
    /// true, then minutes.
    ///
    /// Cost: a row per hour, and one per minute that is in none of them.
    static func known(
        in range: TimeRange, from session: inout ReadSession, usesHours: Bool = true
    ) throws(QueryFailure) -> FigureSources {
        let computed = try ComputedPeriods.figures.known(
            in: range, usesHours: usesHours, from: &session)
        return FigureSources(
            range, periods: computed.periods, omittedCount: computed.omittedCount)
    }
}

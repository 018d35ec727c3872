// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// When the points of `JaegerMetrics` are, and of which minutes: everything begins and ends with a
/// minute, as figures do.
struct JaegerMetricTimes: Sendable, Equatable {
    /// Unix nanoseconds, ascending.
    let points: [Int64]
    let windowNs: Int64
    /// From the begin of the first point's window to the last point.
    let range: TimeRange

    private static let minuteNs = JaegerMetrics.minuteNs

    /// What is asked is cut to the newest `rangeNsMax` and to `JaegerMetrics.pointCountMax` points.
    init(_ asked: JaegerMetrics, rangeNsMax: Int64) {
        let minuteNs = JaegerMetricTimes.minuteNs
        let endNs = asked.endUnixNs / minuteNs * minuteNs
        let windowNs = JaegerMetricTimes.wholeMinutes(min(asked.windowNs, rangeNsMax))
        let lookbackNs = min(asked.lookbackNs, max(rangeNsMax - windowNs, 0), endNs)
        let closestNs = lookbackNs / Int64(JaegerMetrics.pointCountMax)
        let stepNs = JaegerMetricTimes.wholeMinutes(
            max(min(asked.stepNs, rangeNsMax), closestNs + 1))
        points = (0...lookbackNs / stepNs).reversed().map { endNs - $0 * stepNs }
        self.windowNs = windowNs
        range = TimeRange(
            startUnixNs: max(0, (points.first ?? endNs) - windowNs), endUnixNs: endNs)
    }

    /// Rounded up, one at least.
    private static func wholeMinutes(_ ns: Int64) -> Int64 {
        max(1, (ns - 1) / minuteNs + 1) * minuteNs
    }
}

/// Calls by service (and operation) and minute, for `JaegerMetrics`, and what they are in the
/// window of each point.
struct JaegerMetricSeries {
    struct Key: Hashable {
        let service: String
        let operation: String
    }

    /// Part of the calls of a minute; there may be several of one minute.
    struct Minute {
        let startUnixNs: Int64
        let callCount: Int64
        let errorCount: Int64
        /// As `latency_buckets` of `otel_service_figures`.
        let latency: [UInt8]
    }

    /// What is added up over the minutes of a window.
    struct Window {
        private(set) var callCount: Int64 = 0
        private(set) var errorCount: Int64 = 0
        private(set) var latency = LatencyHistogram()

        fileprivate mutating func add(_ minute: Minute, times sign: Int64) {
            callCount += sign * minute.callCount
            errorCount += sign * minute.errorCount
            unsafe minute.latency.withUnsafeBytes {
                latency.add(packed: unsafe ByteSlice($0), times: sign)
            }
        }
    }

    private let times: JaegerMetricTimes
    private var minutes: [Key: [Minute]] = [:]
    /// Where not all spans were read, the minute from which on they were.
    var completeFromUnixNs: Int64?

    init(_ times: JaegerMetricTimes) { self.times = times }

    var windowSeconds: Double { Double(times.windowNs) / 1e9 }

    /// Adds rows of service, operation, the begin of a minute, calls, errors, and their buckets.
    mutating func add(_ rows: borrowing QueryResult) {
        for row in 0..<rows.rowCount {
            let key = Key(
                service: rows.string(row: row, column: 0),
                operation: rows.string(row: row, column: 1))
            let latency = rows.bytes(row: row, column: 5)
            minutes[key, default: []].append(
                Minute(
                    startUnixNs: rows.integer(row: row, column: 2) ?? 0,
                    callCount: rows.integer(row: row, column: 3) ?? 0,
                    errorCount: rows.integer(row: row, column: 4) ?? 0,
                    latency: (0..<latency.count).map { latency[$0] }))
        }
    }

    /// Those with most calls first, and their minutes in the order of time.
    var ordered: [(key: Key, minutes: [Minute])] {
        minutes.map { key, minutes in
            (
                key, minutes.sorted { $0.startUnixNs < $1.startUnixNs },
                minutes.reduce(0) { $0 + $1.callCount }
            )
        }.sorted { one, other in
            one.2 == other.2
                ? (one.0.service, one.0.operation) < (other.0.service, other.0.operation)
                : one.2 > other.2
        }.map { ($0.0, $0.1) }
    }

    /// Calls `body` with each point of which all is known and its window; `minutes` are in the
    /// order of time.
    ///
    /// Cost: goes over them once, however long the windows are.
    func forEachPoint(of minutes: [Minute], _ body: (Int64, Window) -> Void) {
        var window = Window()
        var (first, end) = (0, 0)
        for point in times.points where point - times.windowNs >= completeFromUnixNs ?? .min {
            while end < minutes.count, minutes[end].startUnixNs < point {
                window.add(minutes[end], times: 1)
                end += 1
            }
            while first < end, minutes[first].startUnixNs < point - times.windowNs {
                window.add(minutes[first], times: -1)
                first += 1
            }
            body(point, window)
        }
    }
}

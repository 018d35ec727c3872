// SPDX-License-Identifier: Apache-2.0

/// How many different things made-up telemetry is about, where that is to be measured.
package struct TelemetryShape: Sendable {
    /// Resources in turn: item n belongs to number n / `itemsEach` of `count`.
    package struct Resources: Sendable {
        package var count: Int
        /// Items in a row that share a resource; at most those of a request.
        package var itemsEach: Int

        package init(count: Int, itemsEach: Int) {
            precondition(count > 0 && itemsEach > 0)
            self.count = count
            self.itemsEach = itemsEach
        }
    }

    /// Kinds of data points that a request of metrics has.
    package enum Points: String, CaseIterable, Sendable {
        /// One histogram to three numbers.
        case all
        case number, histogram
    }

    /// Nil is one resource per request, out of some twenty that the seed chooses.
    package var resources: Resources?
    /// Different pairs of name and kind of spans, in turn; nil is a name for each route and method.
    package var operationCount: Int?
    package var points = Points.all

    package init() {}
}

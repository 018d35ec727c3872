// SPDX-License-Identifier: Apache-2.0

/// A minute or an hour of which there are figures of services, or edges of the map.
package struct ComputedPeriod: Sendable, Equatable {
    package let startUnixNs: Int64
    package let lengthNs: Int64
    /// What is in its rows: buckets of figures, or edges.
    package let elementCount: Int

    package init(startUnixNs: Int64, lengthNs: Int64, elementCount: Int) {
        self.startUnixNs = startUnixNs
        self.lengthNs = lengthNs
        self.elementCount = elementCount
    }

    package var endUnixNs: Int64 { startUnixNs + lengthNs }

    /// Buckets that one statement fetches: 24 MB.
    package static let bucketsPerStatementMax = 4_000_000

    /// Parts of `periods` that one statement each may fetch, in their order.
    package static func slices(
        of periods: [ComputedPeriod], elementCountMax: Int = bucketsPerStatementMax
    ) -> [ArraySlice<ComputedPeriod>] {
        var slices: [ArraySlice<ComputedPeriod>] = []
        var (first, elementCount) = (periods.startIndex, 0)
        for (index, period) in periods.enumerated() {
            if index > first, elementCount + period.elementCount > elementCountMax {
                slices.append(periods[first..<index])
                (first, elementCount) = (index, 0)
            }
            elementCount += period.elementCount
        }
        if first < periods.endIndex { slices.append(periods[first...]) }
        return slices
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base

/// The edges of a minute or an hour of a tenant, as `otel_service_minute_edges` and
/// `otel_service_hour_edges` have them in two columns.
///
/// Ownership: valid for as long as the result that the columns are of.
package struct PackedEdges {
    /// One of them.
    package struct Edge {
        /// `edge_id` of `otel_service_edges_dim`.
        package let id: Int64
        package let callCount: Int64
        package let errorCount: Int64
        package let latencySumNs: Int64
        /// Durations, as `LatencyHistogram` takes them; empty where they were not read.
        package let latencyBuckets: ByteSlice
    }

    /// Bytes of one edge in the first column.
    package static let edgeSizeBytes = 40

    private let edges: ByteSlice
    private let latencyBuckets: ByteSlice

    /// Of two columns, or of the first alone, which is enough for what is no duration.
    package init(edges: ByteSlice, latencyBuckets: ByteSlice = .empty) {
        self.edges = edges
        self.latencyBuckets = latencyBuckets
    }

    /// Lends each to `body`, those with most calls first.
    package func visitEach(_ body: (Edge) -> Void) {
        var bucketsStart = 0
        for place in stride(
            from: 0, through: edges.count - PackedEdges.edgeSizeBytes,
            by: PackedEdges.edgeSizeBytes)
        {
            func number(_ index: Int) -> Int64 {
                edges.bigEndian(at: place + 8 * index, as: Int64.self)
            }
            let bucketsEnd = max(Int(number(4)), bucketsStart)
            let end = min(bucketsEnd, latencyBuckets.count)
            let start = min(bucketsStart, end)
            body(
                Edge(
                    id: number(0), callCount: number(1), errorCount: number(2),
                    latencySumNs: number(3),
                    latencyBuckets: latencyBuckets.slice(offset: start, count: end - start)))
            bucketsStart = bucketsEnd
        }
    }
}

/// Makes the two columns, edge by edge.
struct EdgePacker {
    private(set) var edges: [UInt8] = []
    private(set) var latencyBuckets: [UInt8] = []

    /// The largest double below 2^63.
    private static let latencySumNsMax = 9_223_372_036_854_774_784.0

    mutating func append(_ edge: Int64, _ total: EdgeTotals.Total, _ latency: LatencyHistogram) {
        latencyBuckets.append(contentsOf: latency.packed())
        let latencySumNs = Int64(min(total.latencySumNs, EdgePacker.latencySumNsMax))
        for number in [
            edge, total.callCount, total.errorCount, latencySumNs, Int64(latencyBuckets.count),
        ] { edges.appendBigEndian(number) }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Calls, errors and durations of the edges of the service map, added up over minutes and hours.
///
/// Cost: about 60 bytes per edge.
package struct EdgeTotals: Sendable {
    /// Numbers that would be too large stay at the largest.
    package struct Total: Sendable {
        package private(set) var callCount: Int64 = 0
        package private(set) var errorCount: Int64 = 0
        package private(set) var latencySumNs: Int64 = 0

        mutating func add(_ edge: PackedEdges.Edge) {
            callCount.addClamped(edge.callCount)
            errorCount.addClamped(edge.errorCount)
            latencySumNs.addClamped(edge.latencySumNs)
        }
    }

    /// By `edge_id`.
    private var byEdge: [Int64: Total] = [:]
    /// Edges that were left out, because there were too many.
    package private(set) var isCut = false
    private let edgeCountMax: Int

    package init(edgeCountMax: Int) { self.edgeCountMax = edgeCountMax }

    /// Different edges in it.
    package var count: Int { byEdge.count }

    /// Nothing for an edge that is not in it.
    package subscript(edge: Int64) -> Total { byEdge[edge, default: Total()] }

    /// Adds those of `packed`; if `wanted` is given, only them.
    package mutating func add(_ packed: PackedEdges, only wanted: Set<Int64>? = nil) {
        packed.forEach { edge in
            if let wanted, !wanted.contains(edge.id) { return }
            guard byEdge.count < edgeCountMax || byEdge[edge.id] != nil else {
                isCut = true
                return
            }
            byEdge[edge.id, default: Total()].add(edge)
        }
    }

    /// Those with most calls, these first, `countMax` of them at most; between equals by their
    /// numbers.
    package func most(_ countMax: Int = .max) -> [Int64] {
        // Pairs of numbers: sorting moves them often.
        var ordered = byEdge.map { (callCount: $0.value.callCount, edge: $0.key) }
        ordered.sort { one, other in
            one.callCount == other.callCount
                ? one.edge < other.edge : one.callCount > other.callCount
        }
        return ordered.prefix(countMax).map(\.edge)
    }
}

/// Durations of some edges, added up over minutes and hours.
///
/// Cost: 2 kB per edge.
package struct EdgeLatencies: Sendable {
    private let places: [Int64: Int]
    private var latencies: [LatencyHistogram]

    /// Of no others than `edges`.
    package init(of edges: some Collection<Int64>) {
        places = Dictionary(uniqueKeysWithValues: zip(edges, 0...))
        latencies = Array(repeating: LatencyHistogram(), count: edges.count)
    }

    /// Nothing for an edge that it is not about.
    package subscript(edge: Int64) -> LatencyHistogram {
        places[edge].map { latencies[$0] } ?? LatencyHistogram()
    }

    /// Adds what `packed` has of them.
    package mutating func add(_ packed: PackedEdges) {
        packed.forEach { edge in
            guard let place = places[edge.id] else { return }
            latencies[place].add(packed: edge.latencyBuckets)
        }
    }
}

extension Int64 {
    fileprivate mutating func addClamped(_ other: Int64) {
        let (sum, isOver) = addingReportingOverflow(other)
        self = isOver ? (other < 0 ? .min : .max) : sum
    }
}

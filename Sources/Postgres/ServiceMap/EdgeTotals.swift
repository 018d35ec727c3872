// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Calls, errors and durations of the edges of the service map, added up over minutes and hours.
///
/// Cost: about 50 bytes per edge.
package struct EdgeTotals: Sendable {
    package struct Total: Sendable {
        package private(set) var callCount: Int64 = 0
        package private(set) var errorCount: Int64 = 0
        /// Many open calls over a month are more than an integer takes.
        package private(set) var latencySumNs: Double = 0

        mutating func add(_ edge: PackedEdges.Edge) {
            callCount &+= edge.callCount
            errorCount &+= edge.errorCount
            latencySumNs += Double(edge.latencySumNs)
        }
    }

    private var places = EdgePlaces()
    /// By place.
    private var totals: [Total] = []
    /// Edges were left out, because there were too many, or calls of some that had few.
    package private(set) var isCut = false
    private let edgeCountMax: Int

    /// Beyond `edgeCountMax` edges, 2 or more, the half with the fewest calls so far is forgotten.
    package init(edgeCountMax: Int) { self.edgeCountMax = edgeCountMax }

    /// Different edges in it.
    package var count: Int { totals.count }

    /// Nothing for an edge that is not in it.
    package subscript(edge: Int64) -> Total {
        places.place(of: edge).map { totals[$0] } ?? Total()
    }

    /// In no order.
    package var edges: [Int64] { places.edges }

    /// Adds each row: `edges` is its first column.
    package mutating func add(_ rows: borrowing QueryResult) {
        for row in 0..<rows.rowCount {
            add(PackedEdges(edges: rows.bytes(row: row, column: 0)))
        }
    }

    mutating func add(_ packed: PackedEdges) {
        packed.visitEach { edge in
            if let place = places.place(of: edge.id) {
                totals[place].add(edge)
                return
            }
            if count >= edgeCountMax { forgetHalf() }
            places.append(edge.id)
            totals.append(Total())
            totals[count - 1].add(edge)
        }
    }

    private mutating func forgetHalf() {
        let kept = most(edgeCountMax / 2)
        let keptTotals = kept.map { self[$0] }
        places = EdgePlaces()
        for edge in kept { places.append(edge) }
        totals = keptTotals
        isCut = true
    }

    /// Those with most calls, these first, `countMax` of them at most; between equals by their
    /// numbers.
    package func most(_ countMax: Int = .max) -> [Int64] {
        let isBefore = { (one: Candidate, other: Candidate) in
            one.callCount == other.callCount
                ? one.edge < other.edge : one.callCount > other.callCount
        }
        var best: [Candidate] = []
        var last: Candidate?
        for (edge, total) in zip(places.edges, totals) {
            let candidate = Candidate(callCount: total.callCount, edge: edge)
            if let last, !isBefore(candidate, last) { continue }
            best.append(candidate)
            // Now and then, so that most are told by one look at the last that is good enough.
            if best.count / 2 >= countMax {
                best.sort(by: isBefore)
                best.removeLast(best.count - countMax)
                last = best.last
            }
        }
        best.sort(by: isBefore)
        return best.prefix(countMax).map(\.edge)
    }

    private struct Candidate {
        let callCount: Int64
        let edge: Int64
    }
}

/// Durations of some edges, added up over minutes and hours.
///
/// Cost: 2 kB per edge.
package struct EdgeLatencies: Sendable {
    private var places = EdgePlaces()
    private var latencies: [LatencyHistogram]

    /// Of no others than `edges`, which differ.
    package init(of edges: some Collection<Int64>) {
        for edge in edges { places.append(edge) }
        latencies = Array(repeating: LatencyHistogram(), count: edges.count)
    }

    /// Nothing for an edge that it is not about.
    package subscript(edge: Int64) -> LatencyHistogram {
        places.place(of: edge).map { latencies[$0] } ?? LatencyHistogram()
    }

    /// Adds what each row has of them: `edges` and `latency_buckets` are its first columns.
    package mutating func add(_ rows: borrowing QueryResult) {
        for row in 0..<rows.rowCount {
            add(
                PackedEdges(
                    edges: rows.bytes(row: row, column: 0),
                    latencyBuckets: rows.bytes(row: row, column: 1)))
        }
    }

    mutating func add(_ packed: PackedEdges) {
        packed.visitEach { edge in
            guard let place = places.place(of: edge.id) else { return }
            latencies[place].add(packed: edge.latencyBuckets)
        }
    }
}

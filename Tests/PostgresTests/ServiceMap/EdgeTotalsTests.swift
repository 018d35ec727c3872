// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Postgres

/// An edge as the columns have it, with one duration per call.
private struct Sent {
    let edge: Int64
    let calls: Int64
    let errors: Int64
    let latencySumNs: Int64
    let bucket: Int16
}

private func packed(_ edges: [Sent]) -> (edges: [UInt8], buckets: [UInt8]) {
    var (bytes, buckets): ([UInt8], [UInt8]) = ([], [])
    for one in edges {
        buckets.appendBigEndian(one.bucket)
        buckets.appendBigEndian(Int32(one.calls))
        for number in [one.edge, one.calls, one.errors, one.latencySumNs, Int64(buckets.count)] {
            bytes.appendBigEndian(number)
        }
    }
    return (bytes, buckets)
}

private func withPacked(_ edges: [Sent], _ body: (PackedEdges) -> Void) {
    let (bytes, buckets) = packed(edges)
    unsafe bytes.withUnsafeBytes { bytes in
        unsafe buckets.withUnsafeBytes { buckets in
            unsafe body(
                PackedEdges(edges: ByteSlice(bytes), latencyBuckets: ByteSlice(buckets)))
        }
    }
}

private func sent(_ edge: Int64, _ calls: Int64, bucket: Int16 = 100) -> Sent {
    Sent(edge: edge, calls: calls, errors: calls / 2, latencySumNs: calls * 10, bucket: bucket)
}

// Goal: edges are told apart and bounded. Method: the same edges into a dictionary; edges by hand.
struct EdgeTotalsTests {
    @Test func totalsAreThoseOfADictionary() {
        var number: Int64 = 1
        func next(_ bound: Int64) -> Int64 {
            // Knuth's MMIX: the same edges at each run.
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(number.magnitude >> 1) % bound
        }
        for spread: Int64 in [10, 5_000, .max] {
            var totals = EdgeTotals(edgeCountMax: .max)
            var expected: [Int64: Int64] = [:]
            for _ in 0..<40 {
                let edges = (0..<200).map { _ in sent(next(spread), next(10)) }
                for one in edges { expected[one.edge, default: 0] += one.calls }
                withPacked(edges) { totals.add($0) }
            }
            #expect(totals.count == expected.count)
            for (edge, calls) in expected { #expect(totals[edge].callCount == calls) }
            let ordered = expected.sorted {
                $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value
            }.map(\.key)
            #expect(totals.most() == ordered)
            for countMax in [0, 1, 7, 100, 10_000] {
                #expect(totals.most(countMax) == Array(ordered.prefix(countMax)))
            }
        }
    }

    @Test func beyondTheBoundThoseWithFewestCallsAreForgotten() {
        var totals = EdgeTotals(edgeCountMax: 4)
        withPacked([sent(1, 5), sent(2, 9), sent(3, 4), sent(4, 8)]) { totals.add($0) }
        #expect(!totals.isCut)
        withPacked([sent(5, 6), sent(3, 1), sent(2, 1)]) { totals.add($0) }
        #expect(totals.isCut)
        #expect(totals.most() == [2, 4, 5, 3])
        #expect(totals[2].callCount == 10)
        #expect(totals[3].callCount == 1)
        #expect(totals[1].callCount == 0)
    }

    @Test func sumsOfDurationsMayBeLargerThanIntegers() {
        var totals = EdgeTotals(edgeCountMax: 2)
        let large = Sent(edge: 1, calls: 3, errors: 1, latencySumNs: .max - 1, bucket: 335)
        for _ in 0..<2 { withPacked([large]) { totals.add($0) } }
        #expect(totals[1].latencySumNs == 0x1p64)
        #expect(totals[1].callCount == 6)
        var packer = EdgePacker()
        packer.append(1, totals[1], LatencyHistogram())
        #expect(packer.edges[24..<32].elementsEqual([127, 255, 255, 255, 255, 255, 252, 0]))
    }
}

// Goal: durations go to the edge that they are of, whatever the bytes say.
struct EdgeLatenciesTests {
    @Test func eachEdgeHasItsOwnDurations() {
        var latencies = EdgeLatencies(of: [7, 3])
        for _ in 0..<2 {
            withPacked([sent(3, 1, bucket: 80), sent(5, 4), sent(7, 2, bucket: 200)]) {
                latencies.add($0)
            }
        }
        #expect(latencies[7].totalCount == 4)
        #expect(latencies[3].totalCount == 2)
        #expect(latencies[5].totalCount == 0)
        #expect(latencies[7].packed() == packed([sent(7, 4, bucket: 200)]).buckets)
    }

    @Test func brokenEndsReachNoOtherBytes() {
        var (bytes, buckets) = packed([sent(1, 1), sent(2, 1)])
        // The first edge says that its buckets end behind all, the second before its own begin.
        bytes.replaceSubrange(32..<40, with: [0, 0, 0, 0, 0, 0, 1, 0])
        bytes.replaceSubrange(72..<80, with: [UInt8](repeating: 255, count: 8))
        var latencies = EdgeLatencies(of: [1, 2])
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe buckets.withUnsafeBytes { buckets in
                unsafe latencies.add(
                    PackedEdges(edges: ByteSlice(bytes), latencyBuckets: ByteSlice(buckets)))
            }
        }
        #expect(latencies[1].totalCount == 2)
        #expect(latencies[2].totalCount == 0)
    }
}

// Goal: what is packed is read as it was.
struct EdgePackerTests {
    @Test func packedAndBack() {
        let edges = [sent(9, 12, bucket: 335), sent(4, 3, bucket: 79), sent(5, 3)]
        var totals = EdgeTotals(edgeCountMax: .max)
        var latencies = EdgeLatencies(of: [9, 4, 5])
        withPacked(edges) {
            totals.add($0)
            latencies.add($0)
        }
        var packer = EdgePacker()
        for edge in totals.most() { packer.append(edge, totals[edge], latencies[edge]) }
        let expected = packed(edges)
        #expect(packer.edges == expected.edges)
        #expect(packer.latencyBuckets == expected.buckets)
    }
}

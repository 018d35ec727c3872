// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

private func fingerprint(_ number: Int) -> Fingerprint {
    Fingerprint(high: 7, low: UInt64(number))
}

@Suite struct CommittedExportsTests {
    // Goal: an entry is known for half a window at least and for a window at most, whenever within
    // a generation it came. Method: both sides of each turn.
    @Test(
        arguments: [
            (insertedNs: 1_000, askedNs: 1_000, isKnown: true),
            (1_000, 1_499, true), (1_000, 1_999, true), (1_000, 2_000, false),
            (1_400, 1_900, true), (1_499, 1_999, true), (1_499, 2_499, false),
            (1_500, 2_000, true), (1_500, 2_499, true), (1_500, 2_500, false),
            (1_000, 900, true),
        ] as [(insertedNs: UInt64, askedNs: UInt64, isKnown: Bool)])
    func entriesAge(insertedNs: UInt64, askedNs: UInt64, isKnown: Bool) {
        let committed = CommittedExports(windowNs: 1_000)
        committed.insert([fingerprint(0)], nowNs: 1_000)  // begins a generation
        committed.insert([fingerprint(1)], nowNs: insertedNs)
        #expect(committed.contains(fingerprint(1), nowNs: askedNs) == isKnown)
        #expect(!committed.contains(fingerprint(2), nowNs: askedNs))
    }

    @Test func theYoungestHalfStays() {
        let committed = CommittedExports(windowNs: 1_000_000)
        let count = CommittedExports.entryCountMax * 2
        for number in 0..<count { committed.insert([fingerprint(number)], nowNs: 1_000_001) }
        let known = (0..<count).filter { committed.contains(fingerprint($0), nowNs: 1_000_001) }
        let half = CommittedExports.entryCountMax / 2
        #expect(known.count <= CommittedExports.entryCountMax)
        #expect(known.count >= half && known.suffix(half) == Array(count - half..<count)[...])
    }

    @Test func nothingIsKnownWithoutAWindowOrAfterwards() {
        let without = CommittedExports(windowNs: 0)
        without.insert([fingerprint(1)], nowNs: 5)
        #expect(!without.contains(fingerprint(1), nowNs: 5))
        let emptied = CommittedExports(windowNs: 1_000)
        emptied.insert([fingerprint(1)], nowNs: 5)
        emptied.removeAll()
        #expect(!emptied.contains(fingerprint(1), nowNs: 5))
    }
}

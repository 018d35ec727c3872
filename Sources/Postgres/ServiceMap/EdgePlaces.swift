// SPDX-License-Identifier: Apache-2.0

/// Numbers edges from 0 on, in the order in which they come.
///
/// A table with open addressing: a day of a large map looks up a million edges, and the standard
/// library's dictionary takes longer over each, because it withstands chosen keys. These are
/// numbers of a sequence, which nobody chooses. Cost: 16 to 24 bytes per edge.
struct EdgePlaces: Sendable {
    /// By place.
    private(set) var edges: [Int64] = []
    /// Places by hash, at most half of them taken; -1 where there is none.
    private var slots = [Int32](repeating: -1, count: 64)

    func place(of edge: Int64) -> Int? {
        let place = slots[slot(of: edge)]
        return place < 0 ? nil : Int(place)
    }

    /// It has no place yet.
    mutating func append(_ edge: Int64) {
        if 2 * edges.count >= slots.count { grow() }
        slots[slot(of: edge)] = Int32(edges.count)
        edges.append(edge)
    }

    /// That of the edge, or the empty one that it would get.
    private func slot(of edge: Int64) -> Int {
        let mask = slots.count - 1
        // Multiplied by 2^64 divided by the golden ratio: neighbours come far apart, and the upper
        // bits depend on all.
        let hash = UInt64(bitPattern: edge) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while slots[slot] >= 0, edges[Int(slots[slot])] != edge { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: 2 * slots.count)
        for (place, edge) in edges.enumerated() { slots[slot(of: edge)] = Int32(place) }
    }
}

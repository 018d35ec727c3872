// SPDX-License-Identifier: Apache-2.0

/// Finds what was probably meant by a name that does not exist.
enum KeySuggestion {
    /// Where all names can be found, as the end of a sentence.
    static let listing = "; `starling config print` lists every key"

    /// The candidate with the fewest edits to `name`, if few enough to be a slip of the keyboard or
    /// of the memory: a third of its length.
    static func nearest(to name: String, among candidates: [String]) -> String? {
        let written = Array(name.utf8.prefix(100))
        let ranked = candidates.map { ($0, editDistance(written, Array($0.utf8))) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 * 3 <= best.0.utf8.count else {
            return nil
        }
        return best.0
    }

    /// Levenshtein's distance, one row at a time. O(a × b).
    static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let substituted = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}

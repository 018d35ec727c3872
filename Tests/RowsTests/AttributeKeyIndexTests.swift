// SPDX-License-Identifier: Apache-2.0
import Base
import OTLPFixtures
import Rows
import Testing

// Goal: every name is found, and nothing else is. Method: names of all lengths, names that the hash
// cannot tell apart, and near misses of each.

private func find(_ key: String, in index: AttributeKeyIndex) -> Int? {
    let bytes = Array(key.utf8)
    return unsafe bytes.withUnsafeBytes { index.find(unsafe ByteSlice($0)) }
}

@Test(
    arguments: [
        [], [""], ["a"], ["", "a", "ab", "abc", "abcd", "abcdefg", "abcdefgh", "abcdefghi"],
        (0..<40).map { String(repeating: "n", count: $0) },
        // The same length, beginning and end.
        (0..<500).map { "service.\($0 + 100).attribute" },
        (0..<AttributeKeyIndex.keyCountMax).map { "key \($0)" },
    ])
func everyNameIsFoundAndNoOther(keys: [String]) {
    let index = AttributeKeyIndex(keys)
    for (number, key) in keys.enumerated() { #expect(find(key, in: index) == number) }
    let known = Set(keys)
    for key in keys + ["", "other", "service.099.attribute"] {
        for miss in [key + "x", "x" + key, String(key.dropLast()), key.uppercased() + "\u{7f}"]
        where !known.contains(miss) {
            #expect(find(miss, in: index) == nil)
        }
    }
}

/// Names of every length up to 40, out of few beginnings, middles and ends, so that many agree in
/// length and in their first and last eight bytes.
private func alikeName(_ numbers: inout SplitMix64) -> String {
    func word(_ letters: String, _ count: Int) -> String {
        String((0..<count).map { _ in letters.randomElement(using: &numbers) ?? "a" })
    }
    let count = Int.random(in: 0...40, using: &numbers)
    let nulls = String(repeating: "\0", count: 8)
    let beginnings = ["service.", "http.req", nulls]
    let ends = ["ute.name", "yyyyyyyz", nulls]
    let beginning = (beginnings.randomElement(using: &numbers) ?? "").prefix(count)
    let end = (ends.randomElement(using: &numbers) ?? "").prefix(count - beginning.count)
    return beginning + word("ab", count - beginning.count - end.count) + end
}

// The table against a list that is searched name by name.
@Test(arguments: [1, 2, 7, 64, 300, 2_000])
func itFindsWhatASearchOfTheListFinds(keyCount: Int) {
    var numbers = SplitMix64(seed: UInt64(keyCount))
    let keys = Array(Set((0..<keyCount).map { _ in alikeName(&numbers) }))
    let index = AttributeKeyIndex(keys)
    let positions = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
    for key in keys + (0..<5_000).map({ _ in alikeName(&numbers) }) {
        #expect(find(key, in: index) == positions[key], "\(key.debugDescription) in \(keys)")
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
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

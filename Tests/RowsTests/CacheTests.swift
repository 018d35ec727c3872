// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Rows

// Goal: caches find what they hold, hold no more than they may, and forget the oldest. Method:
// small bounds, both sides of them.

private func withKey<R>(_ text: String, _ body: (ByteSlice) -> R) -> R {
    var bytes = Array(text.utf8)
    return unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe body(ByteSlice(UnsafeRawBufferPointer(buffer)))
    }
}

extension ByteKeyTable {
    fileprivate mutating func insert(_ text: String, _ value: Int64) -> Bool {
        var isInserted = false
        let hash = withKey(text) { ByteKeyTable.hash($0) }
        withKey(text) { isInserted = insert($0, hash: hash, value: value) }
        return isInserted
    }

    fileprivate func find(_ text: String) -> Int64? {
        withKey(text) { find($0, hash: ByteKeyTable.hash($0)) }.map { value(at: $0) }
    }
}

extension GenerationalCache {
    fileprivate mutating func insert(_ text: String, _ id: Int64) {
        withKey(text) { insert($0, hash: ByteKeyTable.hash($0), id: id) }
    }

    fileprivate mutating func find(_ text: String) -> Int64? {
        withKey(text) { find($0, hash: ByteKeyTable.hash($0)) }
    }
}

@Test func aTableFindsEverythingItHolds() {
    var table = ByteKeyTable(bounds: .init(entryCountMax: 10_000, keySizeBytesMax: 1 << 20))
    for number in 0..<5_000 {
        let isInserted = table.insert("key \(number)", Int64(number))
        #expect(isInserted)
    }
    for number in 0..<5_000 {
        let value = table.find("key \(number)")
        #expect(value == Int64(number))
    }
    for missing in ["", "key", "key 5000", "key 00"] {
        let value = table.find(missing)
        #expect(value == nil)
    }
    table.removeAll()
    let value = table.find("key 1")
    #expect(value == nil && table.count == 0)
}

@Test func keysOfAnyLengthAreTold() {
    var table = ByteKeyTable(bounds: .init(entryCountMax: 1_000, keySizeBytesMax: 1 << 20))
    // Keys that share all bytes but one, at every place, and all lengths up to 40.
    var keys: [String] = []
    for count in 0...40 {
        keys.append(String(repeating: "a", count: count))
        for place in 0..<count {
            let before = String(repeating: "a", count: place)
            let after = String(repeating: "a", count: count - place - 1)
            keys.append("\(before)b\(after)")
        }
    }
    var bounded = 0
    for (number, key) in keys.enumerated() where table.insert(key, Int64(number)) { bounded += 1 }
    #expect(bounded == keys.count && keys.count < 1_000)
    for (number, key) in keys.enumerated() {
        let value = table.find(key)
        #expect(value == Int64(number))
    }
}

@Test func aTableTakesNoMoreEntriesOrBytesThanItMay() {
    var few = ByteKeyTable(bounds: .init(entryCountMax: 3, keySizeBytesMax: 1_000))
    let taken = (0..<5).map { few.insert("\($0)", 0) }
    #expect(taken == [true, true, true, false, false] && few.count == 3)

    var small = ByteKeyTable(bounds: .init(entryCountMax: 100, keySizeBytesMax: 10))
    let sizes = [4, 6, 1, 0].map { small.insert(String(repeating: "\($0)", count: $0), 0) }
    #expect(sizes == [true, true, false, true] && small.keySizeBytes == 10)
}

@Test func theCacheForgetsWhatWasNotAskedForLately() {
    var cache = GenerationalCache(bounds: .init(entryCountMax: 8, keySizeBytesMax: 1_000))
    for number in 0..<4 { cache.insert("\(number)", Int64(number)) }
    // A new generation; 0...3 are the old one.
    cache.insert("4", 4)
    let kept = cache.find("0")
    #expect(kept == 0)
    // The next generation: 1...3 were not asked for.
    for number in 5..<8 { cache.insert("\(number)", Int64(number)) }
    let found = (0..<8).map { cache.find("\($0)") }
    #expect(found == [0, nil, nil, nil, 4, 5, 6, 7])
    #expect(cache.evictedCount == 3)
}

@Test func theCacheNeverHoldsMoreThanItsBounds() {
    var cache = GenerationalCache(bounds: .init(entryCountMax: 10, keySizeBytesMax: 60))
    for number in 0..<1_000 {
        cache.insert("key \(number)", Int64(number))
        let found = cache.find("key \(number)")
        #expect(found == Int64(number))
        #expect(cache.count <= 10)
    }
    // A key that no generation can hold is not kept, and harms nothing but what it pushed out.
    let large = String(repeating: "x", count: 31)
    cache.insert(large, 1)
    let found = cache.find(large)
    #expect(found == nil)
    cache.insert("small", 2)
    let small = cache.find("small")
    #expect(small == 2)
}

@Test func keysThatAreTooLongAreSaidToBe() {
    var key = CacheKey()
    let half = String(repeating: "h", count: CacheKey.sizeBytesMax / 2)
    withKey(half) { key.append($0) }
    withKey(half) { key.append($0) }
    #expect(!key.isTooLong && key.count == CacheKey.sizeBytesMax)
    key.append(1 as UInt8)
    let isTooLong = key.isTooLong
    #expect(isTooLong)
    key.removeAll()
    let isEmpty = !key.isTooLong && key.count == 0
    #expect(isEmpty)
}

@Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
])
func digestOfKnownText(text: String, expected: String) {
    var digest = ContentDigest()
    digest.begin()
    withKey("forgotten") { digest.append($0) }
    digest.begin()
    withKey(text) { digest.append($0) }
    #expect(digest.finish().hex == expected)
}

// However the bytes are cut into appends, around the size of the staging buffer.
@Test func digestOfPieces() {
    let whole = String(repeating: "0123456789", count: 500)
    var digest = ContentDigest()
    digest.begin()
    withKey(whole) { digest.append($0) }
    let expected = digest.finish()
    for sizeBytes in [1, 7, 1_000, 1_023, 1_024, 1_025, 4_999] {
        digest.begin()
        withKey(whole) { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = min(sizeBytes, bytes.count - offset)
                digest.append(bytes.slice(offset: offset, count: count))
                offset += count
            }
        }
        let hash = digest.finish()
        #expect(hash == expected)
    }
}

@Test func hashesAreInTheOrderOfTheirBytes() {
    func hash(_ bytes: [UInt8]) -> ContentHash {
        unsafe bytes.withUnsafeBytes { unsafe ContentHash(ByteSlice($0)) }
    }
    for place in 0..<32 {
        var low = [UInt8](repeating: 0x7f, count: 32)
        let high = low
        low[place] = 0x7e
        #expect(hash(low) < hash(high) && !(hash(high) < hash(low)) && hash(low).bytes == low)
    }
}

@Test func aListGrowsWithinTheBudget() {
    let budget = MemoryBudget(limitBytes: 20_000)
    var list = BudgetedList<Int64>(budget: budget)
    #expect(budget.inUseBytes == 0)
    var count = 0
    while list.append(Int64(count)) { count += 1 }
    // 4 KiB, then 8; 16 more while 8 are held are too much.
    #expect(count == 1_024 && list.count == 1_024 && budget.inUseBytes == 8_192)
    #expect((0..<count).allSatisfy { list[$0] == Int64($0) })
    list.truncate(count: 10)
    #expect(list.count == 10 && budget.inUseBytes == 8_192)
    list.removeAll(keptSizeBytes: 8_192)
    #expect(list.count == 0 && budget.inUseBytes == 8_192)
    list.removeAll(keptSizeBytes: 8_191)
    #expect(budget.inUseBytes == 0)
}

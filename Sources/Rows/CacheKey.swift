// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The exact bytes by which a dimension is looked up, built in a buffer of fixed size.
///
/// A key that does not fit is marked as too long and is not cached: then the hash finds the
/// dimension, at the price of computing it and asking the database each time. No allocation after
/// `init`.
@safe
struct CacheKey: ~Copyable {
    /// Longest key that is cached. Real resources have 1 to 3 KiB.
    static let sizeBytesMax = 16 << 10

    private let storage: UnsafeMutableRawPointer
    private(set) var count = 0
    private(set) var isTooLong = false

    init() {
        unsafe storage = .allocate(byteCount: CacheKey.sizeBytesMax, alignment: 8)
    }

    deinit { unsafe storage.deallocate() }

    /// The key so far; valid until the next change.
    var bytes: ByteSlice { unsafe ByteSlice(base: storage, count: count) }

    mutating func removeAll() {
        count = 0
        isTooLong = false
    }

    /// Cuts the key back to an earlier `count`, when no append since then was too long.
    mutating func truncate(count: Int) {
        precondition(count >= 0 && count <= self.count)
        self.count = count
    }

    private mutating func reserve(_ sizeBytes: Int) -> Bool {
        if sizeBytes > CacheKey.sizeBytesMax - count { isTooLong = true }
        return !isTooLong
    }
}

extension CacheKey: ByteSink {
    mutating func append(_ bytes: ByteSlice) {
        guard reserve(bytes.count), let source = unsafe bytes.base else { return }
        unsafe (storage + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    mutating func append(_ byte: UInt8) { appendInteger(byte) }

    mutating func append(_ word: UInt32) { appendInteger(word) }

    mutating func append(_ word: UInt64) { appendInteger(word) }

    private mutating func appendInteger<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        guard reserve(MemoryLayout<T>.size) else { return }
        unsafe storage.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
        count += MemoryLayout<T>.size
    }
}

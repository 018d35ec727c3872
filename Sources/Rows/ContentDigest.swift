// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COpenSSL

/// SHA-256 over what is appended, reusable for any number of hashes one after the other.
///
/// Ownership: sole owner of one OpenSSL context, of the fetched algorithm (fetching it anew costs
/// more than hashing a resource) and of a small staging buffer that gathers short appends. Thread:
/// confined to one. Failure: OpenSSL fails here only without memory or without SHA-256, and both
/// are as fatal as a failed allocation.
@safe
struct ContentDigest: ~Copyable {
    private static let stagingSizeBytes = 1_024

    private let context: OpaquePointer
    private let algorithm: OpaquePointer
    private let staging: UnsafeMutableRawBufferPointer
    private var stagedCount = 0

    init() {
        guard let context = unsafe EVP_MD_CTX_new(),
            let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)
        else { preconditionFailure("OpenSSL offers no SHA-256") }
        unsafe self.context = context
        unsafe self.algorithm = algorithm
        unsafe staging = .allocate(byteCount: ContentDigest.stagingSizeBytes, alignment: 8)
    }

    deinit {
        unsafe staging.deallocate()
        unsafe EVP_MD_free(algorithm)
        unsafe EVP_MD_CTX_free(context)
    }

    /// Starts a new hash, forgetting what was appended before.
    mutating func begin() {
        stagedCount = 0
        let result = unsafe EVP_DigestInit_ex2(context, algorithm, nil)
        precondition(result == 1, "EVP_DigestInit_ex2 failed")
    }

    /// The hash of everything appended since `begin()`.
    mutating func finish() -> ContentHash {
        flush()
        var length: UInt32 = 0
        let result = unsafe EVP_DigestFinal_ex(
            context, staging.baseAddress?.assumingMemoryBound(to: UInt8.self), &length)
        precondition(
            result == 1 && Int(length) == ContentHash.sizeBytes, "EVP_DigestFinal_ex failed")
        return unsafe ContentHash(
            ByteSlice(UnsafeRawBufferPointer(rebasing: staging[..<ContentHash.sizeBytes])))
    }

    private mutating func flush() {
        unsafe update(ByteSlice(UnsafeRawBufferPointer(rebasing: staging[..<stagedCount])))
        stagedCount = 0
    }

    private func update(_ bytes: ByteSlice) {
        guard !bytes.isEmpty else { return }
        let result = unsafe EVP_DigestUpdate(context, bytes.base, bytes.count)
        precondition(result == 1, "EVP_DigestUpdate failed")
    }
}

extension ContentDigest: ByteSink {
    mutating func append(_ bytes: ByteSlice) {
        if unsafe bytes.count > staging.count - stagedCount { flush() }
        guard unsafe bytes.count <= staging.count else { return update(bytes) }
        guard let source = unsafe bytes.base, let base = unsafe staging.baseAddress else { return }
        unsafe (base + stagedCount).copyMemory(from: source, byteCount: bytes.count)
        stagedCount += bytes.count
    }

    mutating func append(_ byte: UInt8) { appendInteger(byte) }

    mutating func append(_ word: UInt32) { appendInteger(word) }

    mutating func append(_ word: UInt64) { appendInteger(word) }

    private mutating func appendInteger<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        if unsafe MemoryLayout<T>.size > staging.count - stagedCount { flush() }
        unsafe staging.storeBytes(of: value.bigEndian, toByteOffset: stagedCount, as: T.self)
        stagedCount += MemoryLayout<T>.size
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COpenSSL

extension ContentHash {
    /// The SHA-256 of a token, as `otel_tokens.hash` has it.
    ///
    /// Not slow on purpose: a token holds 256 random bits, so the hash cannot be turned round by
    /// trying. Thread: any. Cost: well below a microsecond.
    package init(ofToken token: [UInt8]) {
        let hash = unsafe [UInt8](
            unsafeUninitializedCapacity: ContentHash.sizeBytes
        ) { output, count in
            let result = unsafe EVP_Digest(
                token, token.count, output.baseAddress, nil, EVP_sha256(), nil)
            precondition(result == 1, "OpenSSL offers no SHA-256")
            count = ContentHash.sizeBytes
        }
        self = unsafe hash.withUnsafeBytes { unsafe ContentHash(ByteSlice($0)) }
    }
}

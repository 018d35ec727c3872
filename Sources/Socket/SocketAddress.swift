// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

extension PeerAddress {
    /// The address that accept(2) or getpeername(2) wrote.
    init(_ storage: sockaddr_storage) {
        var storage = storage
        let family = Int32(storage.ss_family)
        self = unsafe withUnsafeBytes(of: &storage) { bytes in
            let port = unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
            switch family {
            case AF_INET:
                return unsafe .ipv4(
                    UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self)), port: port)
            case AF_INET6:
                return unsafe .ipv6(
                    high: UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.load(fromByteOffset: 16, as: UInt64.self)),
                    port: port)
            default:
                return .local
            }
        }
    }
}

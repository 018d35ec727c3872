// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// A path or, with a leading `@`, an abstract name, as a socket address.
struct UnixAddress: Sendable {
    /// As in sun_path: an abstract name begins with a zero byte.
    private let name: [UInt8]

    /// Nil for anything else, and for what is too long for the kernel.
    init?(_ text: String) {
        var name = Array(text.utf8)
        guard let first = name.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"),
            name.count > 1, name.count < UnixAddress.capacityBytes, !name.contains(0)
        else { return nil }
        if first == UInt8(ascii: "@") { name[0] = 0 }
        self.name = name
    }

    private static let capacityBytes = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
    /// The longest path; one byte ends it.
    static let sizeBytesMax = capacityBytes - 1

    /// Calls `body` with the address and its exact size: in an abstract name every byte counts.
    func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) throws -> R) rethrows -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let isPath = name[0] != 0
        let size = MemoryLayout<sa_family_t>.size + name.count + (isPath ? 1 : 0)
        return unsafe try withUnsafePointer(to: &address) { pointer in
            unsafe try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe try body($0, socklen_t(size))
            }
        }
    }
}

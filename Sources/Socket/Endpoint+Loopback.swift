// SPDX-License-Identifier: Apache-2.0
internal import CLinux

extension Endpoint {
    /// Whether only this machine can reach it: a unix socket, or a host all of whose addresses are
    /// of the loopback. A name that cannot be resolved is not known to be one.
    ///
    /// Blocks in the resolver where the host is a name: for start-up only.
    package func isLoopback() -> Bool {
        guard case .tcp(let host, _) = self else { return true }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &found) == 0 else { return false }
        defer { unsafe freeaddrinfo(found) }
        var next = unsafe found
        var isLoopback = unsafe found != nil
        while let address = unsafe next {
            isLoopback = unsafe isLoopback && Endpoint.isLoopback(address.pointee)
            unsafe next = address.pointee.ai_next
        }
        return isLoopback
    }

    private static func isLoopback(_ info: addrinfo) -> Bool {
        guard let address = unsafe info.ai_addr else { return false }
        switch unsafe info.ai_family {
        case AF_INET:
            return unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
                .sin_addr.isLoopback
        case AF_INET6:
            return unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
                .sin6_addr.isLoopback
        default: return false
        }
    }
}

extension in_addr {
    /// 127.0.0.0/8 (RFC 1122, section 3.2.1.3).
    fileprivate var isLoopback: Bool { UInt32(bigEndian: s_addr) >> 24 == 127 }
}

extension in6_addr {
    /// ::1 (RFC 4291, section 2.5.3), or a loopback address of IPv4 in the form of IPv6.
    fileprivate var isLoopback: Bool {
        unsafe withUnsafeBytes(of: self) { bytes in
            let head = unsafe bytes.prefix(10).allSatisfy { $0 == 0 }
            guard head else { return false }
            let isMapped = unsafe bytes[10] == 0xff && bytes[11] == 0xff
            if isMapped { return unsafe bytes[12] == 127 }
            return unsafe bytes[10..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
        }
    }
}

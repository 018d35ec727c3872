// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Where to listen or connect: a host and port, or the path of a unix socket.
package enum Endpoint: Sendable, Equatable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    package var isUnix: Bool {
        if case .unix = self { return true }
        return false
    }

    /// Calls `body` with the first socket address that the endpoint resolves to.
    ///
    /// Blocks in the resolver where `host` is a name: for start-up only.
    func withAddress<R: ~Copyable>(
        _ body: (_ family: Int32, _ address: UnsafePointer<sockaddr>, _ size: socklen_t)
            throws(SystemError) -> R
    ) throws(SystemError) -> R {
        switch self {
        case .unix(let path): return try unsafe Endpoint.withUnixAddress(path, body)
        case .tcp(let host, let port): return try unsafe Endpoint.withResolved(host, port, body)
        }
    }

    private static func withUnixAddress<R: ~Copyable>(
        _ path: String,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> R
    ) throws(SystemError) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity, !path.isEmpty else {
            throw SystemError("bind", "unix:\(path)", code: ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            unsafe target.copyBytes(from: path.utf8)
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return try unsafe withUnsafePointer(to: &address) { pointer throws(SystemError) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                pointer throws(SystemError) in
                try unsafe body(AF_UNIX, pointer, size)
            }
        }
    }

    private static func withResolved<R: ~Copyable>(
        _ host: String, _ port: UInt16,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> R
    ) throws(SystemError) -> R {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let first = unsafe found else {
            throw SystemError(
                "resolve", host, code: result == EAI_SYSTEM ? linux_errno() : EADDRNOTAVAIL)
        }
        defer { unsafe freeaddrinfo(found) }
        return try unsafe body(
            first.pointee.ai_family, UnsafePointer(first.pointee.ai_addr!), first.pointee.ai_addrlen
        )
    }
}

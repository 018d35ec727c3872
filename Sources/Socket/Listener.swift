// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// A listening socket of one loop.
///
/// TCP listeners of several loops share their port through SO_REUSEPORT, so that the kernel spreads
/// connections and no loop waits for another. Thread: made anywhere, then owned by its loop.
package struct Listener: ~Copyable, Sendable {
    let descriptor: FileDescriptor
    /// The address really bound: a port of 0 has become a real one.
    package let endpoint: Endpoint
    /// Whether the file of a unix socket goes with this listener.
    private let isPathOwner: Bool
    /// Whether the listeners of other loops are this same socket.
    private let isShared: Bool

    deinit {
        if isPathOwner, case .unix(let path) = endpoint { _ = unsafe unlink(path) }
    }

    private static let backlog: Int32 = 1_024

    /// Binds and listens. `mode` are the permission bits of a unix socket.
    package init(_ endpoint: Endpoint, unixMode mode: UInt32 = 0o660) throws(SystemError) {
        switch endpoint {
        case .unix(let path): Listener.removeStaleSocket(path)
        case .tcp(_, let port): if port != 0 { try Listener.checkIsFree(endpoint) }
        }
        try self.init(sharing: endpoint)
        if case .unix(let path) = endpoint { _ = unsafe chmod(path, mode) }
    }

    /// Takes over a socket that somebody else bound and listens on (systemd's socket activation);
    /// it is closed with this listener, but its path stays. `name` is for errors.
    package init(adopting raw: Int32, name: String) throws(SystemError) {
        guard linux_adopt(raw) == 0 else { throw SystemError("fcntl", "the socket for \(name)") }
        let descriptor = FileDescriptor(owning: raw)
        guard Listener.isListening(raw) else {
            throw SystemError("listen", "the socket for \(name)", code: ENOTSOCK)
        }
        let endpoint = descriptor.boundEndpoint
        self.init(descriptor: descriptor, endpoint: endpoint, isShared: true)
    }

    /// Whether `raw`, which stays its owner's, is a socket that connections can be accepted from.
    package static func isListening(_ raw: Int32) -> Bool {
        option(of: raw, SO_ACCEPTCONN) == 1
            && option(of: raw, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
    }

    /// An integer option of a socket; -1 where there is none.
    private static func option(of raw: Int32, _ option: Int32) -> Int32 {
        var value: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(raw, SOL_SOCKET, option, &value, &size)
        return value
    }

    /// Binds and listens, beside other listeners of this process on the same port.
    private init(sharing endpoint: Endpoint) throws(SystemError) {
        descriptor = try unsafe endpoint.withAddress { family, address, size throws(SystemError) in
            let raw = socket(
                family,
                Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            guard raw >= 0 else { throw SystemError("socket", endpoint.description) }
            let descriptor = FileDescriptor(owning: raw)
            if family != AF_UNIX {
                descriptor.setOption(SOL_SOCKET, SO_REUSEADDR, 1)
                descriptor.setOption(SOL_SOCKET, SO_REUSEPORT, 1)
                descriptor.takeIPv4AsWell(family)
            } else {
                // Of the file that bind makes: nobody else may come in before the mode is set.
                _ = fchmod(raw, 0o600)
            }
            guard unsafe bind(raw, address, size) == 0 else {
                throw SystemError("bind", endpoint.description)
            }
            guard listen(raw, Listener.backlog) == 0 else {
                throw SystemError("listen", endpoint.description)
            }
            return descriptor
        }
        isPathOwner = true
        isShared = endpoint.isUnix
        switch endpoint {
        case .unix: self.endpoint = endpoint
        case .tcp(let host, _): self.endpoint = .tcp(host: host, port: descriptor.boundPort)
        }
    }

    /// SO_REUSEPORT would let a second daemon of the same user take half of the connections
    /// unnoticed.
    private static func checkIsFree(_ endpoint: Endpoint) throws(SystemError) {
        try unsafe endpoint.withAddress { family, address, size throws(SystemError) in
            let raw = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard raw >= 0 else { throw SystemError("socket", endpoint.description) }
            let probe = FileDescriptor(owning: raw)
            probe.setOption(SOL_SOCKET, SO_REUSEADDR, 1)
            probe.takeIPv4AsWell(family)
            guard unsafe bind(probe.raw, address, size) == 0 else {
                throw SystemError("bind", endpoint.description)
            }
        }
    }

    /// A second listener on the same address, for another loop.
    ///
    /// TCP: a socket of its own that shares the port. Unix, or one that was taken over: the same
    /// socket, where loops take turns.
    package func another() throws(SystemError) -> Listener {
        if !isShared { return try Listener(sharing: endpoint) }
        let raw = linux_duplicate(descriptor.raw)
        guard raw >= 0 else { throw SystemError("dup", endpoint.description) }
        return Listener(
            descriptor: FileDescriptor(owning: raw), endpoint: endpoint, isShared: true)
    }

    private init(descriptor: consuming FileDescriptor, endpoint: Endpoint, isShared: Bool) {
        self.descriptor = descriptor
        self.endpoint = endpoint
        self.isShared = isShared
        isPathOwner = false
    }

    /// A socket file that nobody listens on any more would make bind fail for ever.
    private static func removeStaleSocket(_ path: String) {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return }
        let descriptor = FileDescriptor(owning: probe)
        let isStale = unsafe try? Endpoint.unix(path: path).withAddress {
            _, address, size throws(SystemError) in
            unsafe connect(descriptor.raw, address, size) != 0 && linux_errno() == ECONNREFUSED
        }
        if isStale == true { _ = unsafe unlink(path) }
    }

    /// The next waiting connection, non-blocking and close-on-exec; nil when there is none now.
    func accept() throws(SystemError) -> AcceptedSocket? {
        while true {
            let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let raw = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe accept4(descriptor.raw, $0, &size, flags)
                }
            }
            if raw >= 0 {
                let accepted = FileDescriptor(owning: raw)
                accepted.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
                accepted.setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
                accepted.setOption(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 30_000)
                return AcceptedSocket(descriptor: accepted, peer: PeerAddress(storage))
            }
            switch linux_errno() {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return nil
            default: throw SystemError("accept")
            }
        }
    }
}

/// A connection as accept(2) gave it.
struct AcceptedSocket: ~Copyable {
    let descriptor: FileDescriptor
    let peer: PeerAddress

    consuming func takeDescriptor() -> FileDescriptor { descriptor }
}

extension FileDescriptor {
    /// Sets an integer option; a family that lacks the option (unix sockets) ignores it.
    func setOption(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(raw, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Without this a wildcard address of IPv6 takes IPv4 or not as the machine is set up.
    fileprivate func takeIPv4AsWell(_ family: Int32) {
        if family == AF_INET6 { setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
    }

    fileprivate var boundPort: UInt16 {
        guard case .tcp(_, let port) = boundEndpoint else { return 0 }
        return port
    }

    fileprivate var boundEndpoint: Endpoint {
        guard let endpoint = Endpoint(boundTo: raw) else { preconditionFailure("not a socket") }
        return endpoint
    }
}

extension Endpoint {
    /// Where the socket `raw` is, which stays its owner's; nil where it is no socket, or one that
    /// neither speaks IP nor belongs to this machine alone.
    package init?(boundTo raw: Int32) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(raw, $0, &size)
            }
        }
        guard result == 0 else { return nil }
        let address = PeerAddress(storage)
        if address.kind == .ip {
            self = .tcp(host: address.hostText, port: address.port)
            return
        }
        guard storage.ss_family == sa_family_t(AF_UNIX) else { return nil }
        // A name in the abstract namespace begins with a zero byte, and is shown with an @.
        let path = unsafe withUnsafeBytes(of: &storage) { bytes in
            let name = unsafe bytes[2..<max(2, Int(size))]
            let text = unsafe String(decoding: name, as: UTF8.self)
            guard text.hasPrefix("\0") else { return String(text.prefix { $0 != "\0" }) }
            return "@" + text.dropFirst()
        }
        self = .unix(path: path)
    }
}

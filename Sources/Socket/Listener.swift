// SPDX-License-Identifier: Apache-2.0
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
            guard unsafe bind(probe.raw, address, size) == 0 else {
                throw SystemError("bind", endpoint.description)
            }
        }
    }

    /// A second listener on the same address, for another loop.
    ///
    /// TCP: a socket of its own that shares the port. Unix: the same socket, where loops take
    /// turns.
    package func another() throws(SystemError) -> Listener {
        if case .tcp = endpoint { return try Listener(sharing: endpoint) }
        let raw = linux_duplicate(descriptor.raw)
        guard raw >= 0 else { throw SystemError("dup", endpoint.description) }
        return Listener(descriptor: FileDescriptor(owning: raw), endpoint: endpoint)
    }

    private init(descriptor: consuming FileDescriptor, endpoint: Endpoint) {
        self.descriptor = descriptor
        self.endpoint = endpoint
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
    func accept() throws(SystemError) -> FileDescriptor? {
        while true {
            let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            let raw = accept4(descriptor.raw, nil, nil, flags)
            if raw >= 0 {
                let accepted = FileDescriptor(owning: raw)
                accepted.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
                accepted.setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
                accepted.setOption(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 30_000)
                return accepted
            }
            switch linux_errno() {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return nil
            default: throw SystemError("accept")
            }
        }
    }
}

extension FileDescriptor {
    /// Sets an integer option; a family that lacks the option (unix sockets) ignores it.
    func setOption(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(raw, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    fileprivate var boundPort: UInt16 {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            let result = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(raw, $0, &size)
            }
            precondition(result == 0)
            // Port and family lie at the same place in sockaddr_in and sockaddr_in6.
            return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }
}

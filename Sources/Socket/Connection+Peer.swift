// SPDX-License-Identifier: Apache-2.0
internal import CLinux

extension Connection {
    /// Where the other end is, for people: `192.0.2.1:55000`, or `unix` for a socket of this
    /// machine; empty where the system does not say any more. Asks the system.
    package var peerText: String {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe getpeername(descriptor.raw, address, &size) == 0 else { return "" }
                guard unsafe address.pointee.sa_family != sa_family_t(AF_UNIX) else {
                    return "unix"
                }
                return unsafe Connection.numericText(address, size)
            }
        }
    }

    private static func numericText(
        _ address: UnsafePointer<sockaddr>, _ size: socklen_t
    ) -> String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = unsafe getnameinfo(
            address, size, &host, socklen_t(host.count), &port, socklen_t(port.count),
            NI_NUMERICHOST | NI_NUMERICSERV)
        guard result == 0 else { return "" }
        let (hostText, portText) = (text(host), text(port))
        return hostText.contains(":") ? "[\(hostText)]:\(portText)" : "\(hostText):\(portText)"
    }

    /// What stands before the NUL.
    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

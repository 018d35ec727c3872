// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux
package import Socket

/// How a listener's address is written: `host:port`, `[address]:port`, `unix:/path`, or nothing.
extension Endpoint {
    /// sun_path holds 108 bytes, one of which ends the string.
    package static let unixPathSizeBytesMax = 107

    /// Reads what an operator wrote; nil for nothing, which means off. Never resolves a name.
    ///
    /// Port 0 lets the kernel choose one.
    package static func parse(_ text: String) throws(ValueFault) -> Endpoint? {
        if text.isEmpty { return nil }
        if text.hasPrefix("unix:") { return try parseUnix(String(text.dropFirst(5))) }
        if let scheme = text.firstRange(of: "://") {
            throw ValueFault(
                "an address has no scheme",
                remedy: "write \"\(text[scheme.upperBound...])\" if that is host:port")
        }
        guard let colon = text.lastIndex(of: ":") else {
            let isPort = UInt16(text) != nil
            throw ValueFault(
                isPort ? "this is only a port" : "the port is missing",
                remedy: isPort
                    ? "write 127.0.0.1:\(text) for this machine only, or 0.0.0.0:\(text) for every "
                        + "interface"
                    : "write host:port, for example \(text):4317")
        }
        let port = try parsePort(text[text.index(after: colon)...], in: text)
        let host = try parseHost(String(text[..<colon]), port: port)
        return .tcp(host: host, port: port)
    }

    private static func parsePort(_ digits: Substring, in text: String) throws(ValueFault) -> UInt16
    {
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits)
        else {
            throw ValueFault(
                "\"\(digits)\" is not a port",
                remedy: "end the address in a port from 1 to 65535 (0 lets the kernel choose one)")
        }
        return port
    }

    private static func parseHost(_ written: String, port: UInt16) throws(ValueFault) -> String {
        if written.isEmpty {
            throw ValueFault(
                "the address names no host",
                remedy: "write 127.0.0.1:\(port) for this machine only, "
                    + "or 0.0.0.0:\(port) (IPv4) or [::]:\(port) (IPv6) for every interface")
        }
        if written.hasPrefix("["), written.hasSuffix("]") {
            let address = String(written.dropFirst().dropLast())
            guard address.contains(":"), isNumeric(address) else {
                throw ValueFault(
                    "\"\(address)\" is not an IPv6 address",
                    remedy: "only IPv6 addresses stand in brackets, for example [::1]:\(port)")
            }
            return address
        }
        if written.contains(":") {
            throw ValueFault(
                "an IPv6 address needs brackets",
                remedy: "write [\(written)]:\(port), or check the colons")
        }
        try checkName(written, port: port)
        return written
    }

    /// A name of letters, digits, hyphens and dots; if it can only be an address, a valid one.
    private static func checkName(_ host: String, port: UInt16) throws(ValueFault) {
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
        guard isName else {
            throw ValueFault(
                "\"\(host)\" is neither a host name nor an address",
                remedy: "write a host name, an IPv4 address or an IPv6 address in brackets; "
                    + "for every interface write 0.0.0.0:\(port) or [::]:\(port)")
        }
        let isAddress = host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e }
        guard !isAddress || isDottedQuad(host) else {
            throw ValueFault(
                "\"\(host)\" is not an IPv4 address",
                remedy: "write four numbers from 0 to 255, for example 127.0.0.1:\(port)")
        }
    }

    /// Four decimal numbers; getaddrinfo would also take `1` and `127.1`, which are typing errors
    /// here.
    private static func isDottedQuad(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.count <= 3 && UInt8($0) != nil }
    }

    private static func isNumeric(_ address: String) -> Bool {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST
        unsafe hints.ai_family = AF_INET6
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, nil, &hints, &found) == 0 else { return false }
        unsafe freeaddrinfo(found)
        return true
    }

    private static func parseUnix(_ path: String) throws(ValueFault) -> Endpoint {
        guard path.hasPrefix("/"), path.utf8.count > 1 else {
            throw ValueFault(
                "the path of a socket must be absolute",
                remedy: "write unix:/run/starling/otlp.sock, for example")
        }
        guard path.utf8.count <= unixPathSizeBytesMax else {
            throw ValueFault(
                "the path has \(path.utf8.count) bytes, a socket's path has at most "
                    + "\(unixPathSizeBytesMax)",
                remedy: "choose a shorter folder")
        }
        return .unix(path: path)
    }
}

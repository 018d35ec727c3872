// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What the header fields of one request say, and what is wrong with them.
///
/// Unknown fields are skipped; nothing is kept as text, and of secrets what a token may be.
struct RequestHead {
    enum Encoding: Equatable { case identity, gzip, unknown }

    private(set) var isPost = false
    private(set) var isGRPC = false
    private(set) var route: Route?
    private(set) var encoding = Encoding.identity
    private(set) var timeout = Timeout.absent
    private var credentials = Credentials()

    enum Timeout: Equatable {
        case absent
        case malformed
        case nanoseconds(UInt64)
    }

    mutating func add(name: ByteSlice, value: ByteSlice) {
        if name.equals(":path") {
            route = Route.find(path: value)
        } else if name.equals(":method") {
            isPost = value.equals("POST")
        } else if name.equals("content-type") {
            isGRPC = RequestHead.isGRPC(contentType: value)
        } else if name.equals("grpc-encoding") {
            encoding =
                value.equals("gzip") ? .gzip : value.equals("identity") ? .identity : .unknown
        } else if name.equals("grpc-timeout") {
            timeout = Timeout.parse(value)
        } else {
            credentials.add(name: name, value: value)
        }
    }

    /// Hands the credentials over, and forgets them.
    mutating func takeCredentials() -> Credentials {
        defer { credentials = Credentials() }
        return credentials
    }

    /// The answer that the head alone earns, checked in the order in which grpc-go checks; nil to
    /// go on.
    var rejection: Answer? {
        guard isPost else { return .httpError(405, .internal, "only POST is served") }
        guard isGRPC else {
            return .httpError(
                415, .invalidArgument,
                "content-type must be application/grpc or application/grpc+proto")
        }
        if timeout == .malformed {
            return .httpError(
                400, .internal, "grpc-timeout must be 1 to 8 digits and one of H M S m u n")
        }
        guard route != nil else {
            return .error(.unimplemented, "this method is not served")
        }
        guard encoding != .unknown else {
            return .error(
                .unimplemented, "grpc-encoding must be identity or gzip", acceptsEncodings: true)
        }
        return nil
    }

    /// `application/grpc`, or with `+proto`, each possibly with parameters (gRPC over HTTP/2,
    /// requests).
    static func isGRPC(contentType: ByteSlice) -> Bool {
        guard contentType.starts(with: "application/grpc") else { return false }
        let rest = contentType.slice(offset: 16, count: contentType.count - 16)
        if rest.isEmpty || rest[0] == UInt8(ascii: ";") { return true }
        guard rest.starts(with: "+proto") else { return false }
        return rest.count == 6 || rest[6] == UInt8(ascii: ";")
    }
}

extension RequestHead.Timeout {
    /// Parses a `grpc-timeout` value: at most eight digits and a unit.
    static func parse(_ value: ByteSlice) -> RequestHead.Timeout {
        guard value.count >= 2, value.count <= 9 else { return .malformed }
        var amount: UInt64 = 0
        for offset in 0..<value.count - 1 {
            let digit = value[offset] &- UInt8(ascii: "0")
            guard digit <= 9 else { return .malformed }
            amount = amount * 10 + UInt64(digit)
        }
        let unitNs: UInt64
        switch value[value.count - 1] {
        case UInt8(ascii: "H"): unitNs = 3_600_000_000_000
        case UInt8(ascii: "M"): unitNs = 60_000_000_000
        case UInt8(ascii: "S"): unitNs = 1_000_000_000
        case UInt8(ascii: "m"): unitNs = 1_000_000
        case UInt8(ascii: "u"): unitNs = 1_000
        case UInt8(ascii: "n"): unitNs = 1
        default: return .malformed
        }
        // Eight digits of hours are more than 2^64 ns.
        let (timeoutNs, isOverflow) = amount.multipliedReportingOverflow(by: unitNs)
        return .nanoseconds(isOverflow ? .max : timeoutNs)
    }
}

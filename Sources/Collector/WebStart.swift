// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Socket

/// The start of a web server: its address, and the errors that operators see.
enum WebStart {
    /// Who is in the group of the daemon may ask.
    private static let socketMode: UInt32 = 0o660

    /// Lets `start` serve, and returns where, with the real port. `key` is what the address was
    /// configured with.
    static func start(
        at endpoint: Endpoint, key: String,
        _ start: (APIAddress) throws(APIServerFailure) -> UInt16?
    ) throws(DaemonError) -> Endpoint {
        do throws(APIServerFailure) {
            switch endpoint {
            case .tcp(let host, let port):
                let bound = try start(.tcp(host: host, port: port))
                return .tcp(host: host, port: bound ?? port)
            case .unix(let path):
                try checkIsFree(endpoint)
                _ = try start(.unix(path: path))
                _ = unsafe chmod(path, socketMode)
                return endpoint
            }
        } catch {
            let reason = error.code.map { SystemError("bind", "\(endpoint)", code: $0).description }
            throw DaemonError(
                .cannotListen,
                "\(reason ?? error.description); choose another address with \(key)")
        }
    }

    /// Removes the socket file of a server that has been stopped.
    static func clean(_ endpoint: Endpoint) {
        if case .unix(let path) = endpoint { _ = unsafe unlink(path) }
    }

    /// A server takes the place of a socket file that is there; one that somebody listens on must
    /// not be taken.
    private static func checkIsFree(_ endpoint: Endpoint) throws(APIServerFailure) {
        let isTaken = (try? DialedSocket(to: endpoint)) != nil
        if isTaken { throw APIServerFailure(code: EADDRINUSE, "somebody listens there") }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Socket

/// The start of the API on `listen.api`: its address, and the errors that operators see.
enum APIStart {
    /// Who is in the group of the daemon may ask.
    private static let socketMode: UInt32 = 0o660

    /// Serves, and returns where, with the real port.
    static func start(
        _ server: any APIServer, at endpoint: Endpoint, observing daemon: any DaemonObserver
    ) throws(DaemonError) -> Endpoint {
        do throws(APIServerFailure) {
            switch endpoint {
            case .tcp(let host, let port):
                let bound = try server.start(
                    at: .tcp(host: host, port: port), observing: daemon)
                return .tcp(host: host, port: bound ?? port)
            case .unix(let path):
                try checkIsFree(endpoint)
                _ = try server.start(at: .unix(path: path), observing: daemon)
                _ = unsafe chmod(path, socketMode)
                return endpoint
            }
        } catch {
            let reason = error.code.map { SystemError("bind", "\(endpoint)", code: $0).description }
            throw DaemonError(
                .cannotListen,
                "\(reason ?? error.description); choose another address with listen.api")
        }
    }

    static func stop(_ server: any APIServer, at endpoint: Endpoint) {
        server.stop()
        if case .unix(let path) = endpoint { _ = unsafe unlink(path) }
    }

    /// A server takes the place of a socket file that is there; one that somebody listens on must
    /// not be taken.
    private static func checkIsFree(_ endpoint: Endpoint) throws(APIServerFailure) {
        let isTaken = (try? DialedSocket(to: endpoint)) != nil
        if isTaken { throw APIServerFailure(code: EADDRINUSE, "somebody listens there") }
    }
}

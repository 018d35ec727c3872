// SPDX-License-Identifier: Apache-2.0

/// Serves what the daemon shows of itself (`listen.api`).
///
/// The daemon knows its server by this protocol only, so that neither is built anew for the other.
package protocol APIServer: Sendable {
    /// Binds, and serves whom `door` lets in on threads of its own from then on. Returns the port
    /// that was bound, nil for a unix socket. Call once.
    func start(
        at address: APIAddress, observing daemon: any DaemonObserver, door: any ConnectionDoor
    ) throws(APIServerFailure) -> UInt16?

    /// Ends what `start` began; waits a moment for answers under way.
    func stop()
}

/// Where the API is served.
package enum APIAddress: Sendable, Equatable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
}

/// Why the API cannot be served.
package struct APIServerFailure: Error {
    /// An errno, where the system said one.
    package let code: Int32?
    package let description: String

    package init(code: Int32? = nil, _ description: String) {
        self.code = code
        self.description = description
    }
}

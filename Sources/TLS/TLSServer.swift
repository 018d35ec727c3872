// SPDX-License-Identifier: Apache-2.0

/// A server that speaks TLS where it is told to.
package protocol TLSServer: Sendable {
    /// From now on connections are secured by `acceptor`. Call before it starts; any thread.
    func secure(with acceptor: TLSAcceptor)
}

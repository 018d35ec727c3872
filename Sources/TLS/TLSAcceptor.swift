// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Synchronization

/// The server's certificate and rules of the moment, shared by all listeners.
///
/// A reload replaces it for the sessions that begin afterwards. Thread: any. Cost of a look: one
/// lock that is held to copy a reference.
package final class TLSSource: Sendable {
    private struct Current {
        var context: TLSContext
        var handshakeTimeoutNs: UInt64
    }

    private let current: Mutex<Current>

    package init(_ context: TLSContext, handshakeTimeoutNs: UInt64) {
        current = Mutex(Current(context: context, handshakeTimeoutNs: handshakeTimeoutNs))
    }

    package var context: TLSContext { current.withLock { $0.context } }

    package var handshakeTimeoutNs: UInt64 { current.withLock { $0.handshakeTimeoutNs } }

    package func replace(_ context: TLSContext, handshakeTimeoutNs: UInt64) {
        current.withLock { $0 = Current(context: context, handshakeTimeoutNs: handshakeTimeoutNs) }
    }
}

/// TLS of one listener: makes sessions, and counts what becomes of their handshakes.
///
/// Thread: any.
package final class TLSAcceptor: Sendable {
    private let source: TLSSource
    private let protocols: [ApplicationLayerProtocol]
    private let isProtocolRequired: Bool
    private let counters: Counters
    private let noteFailure: @Sendable (TLSFailure) -> Void

    /// `noteFailure` hears of every handshake that fails, on the thread of its connection.
    package init(
        _ source: TLSSource, protocols: [ApplicationLayerProtocol], isProtocolRequired: Bool,
        counters: Counters, noteFailure: @escaping @Sendable (TLSFailure) -> Void
    ) {
        self.source = source
        self.protocols = protocols
        self.isProtocolRequired = isProtocolRequired
        self.counters = counters
        self.noteFailure = noteFailure
    }

    package func makeSession() -> TLSSession {
        TLSSession(
            server: source.context, protocols: protocols, isProtocolRequired: isProtocolRequired)
    }

    /// From the first byte's chance to the end of the handshake (`tls.handshake_timeout`).
    package var handshakeTimeoutNs: UInt64 { source.handshakeTimeoutNs }

    /// To be called once for each handshake that is done.
    package func succeeded() { counters.add(.tlsHandshakes) }

    /// To be called once for each handshake that is not.
    package func failed(_ failure: TLSFailure) {
        counters.add(failure.counter)
        noteFailure(failure)
    }
}

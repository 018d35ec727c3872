// SPDX-License-Identifier: Apache-2.0
package import Base

/// One Export request as it came off the wire: still compressed, not decoded.
///
/// Ownership: moved from the gRPC station to whoever decodes it.
package struct ExportMessage: ~Copyable, Sendable {
    package let signal: Signal
    package let isCompressed: Bool
    /// Monotonic time after which nobody waits for the answer.
    package let deadlineNs: UInt64
    /// Names the call within its connection.
    package let streamID: Int32
    /// Who sent it; nil where nobody is asked.
    package let identity: Identity?
    package var payload: OwnedBytes
}

/// Takes Export requests from the gRPC station.
package protocol ExportSink: AnyObject {
    /// Returns the outcome at once, or nil when it will come through `ServerConnection.answer`.
    func received(_ message: consuming ExportMessage, from connection: ServerConnection) -> Outcome?

    /// The call ended before its outcome came: the client gave up, or its connection is gone.
    func abandoned(streamID: Int32)
}

// SPDX-License-Identifier: Apache-2.0
package import Base

/// Takes Export requests from the gRPC station.
package protocol ExportSink: AnyObject {
    /// Returns the outcome at once, or nil when it will come through `ServerConnection.answer`.
    /// `streamID` names the call within its connection.
    func received(
        _ message: consuming ExportMessage, streamID: Int32, from connection: ServerConnection
    ) -> Outcome?

    /// The call ended before its outcome came: the client gave up, or its connection is gone.
    func abandoned(streamID: Int32)
}

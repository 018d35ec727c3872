// SPDX-License-Identifier: Apache-2.0
package import Base

/// What happens on one HTTP/2 stream, told to whoever answers it.
///
/// Called inside `Session.receive`; an implementation may call the session's submitting methods but
/// must not call `receive` or `nextOutput` (nghttp2 forbids both inside its callbacks).
package protocol StreamHandler: AnyObject {
    /// One header field of the request (or, for a client, of the response), trailers included.
    func header(name: ByteSlice, value: ByteSlice, on stream: Stream)
    /// The first header block is complete.
    func headersEnded(on stream: Stream)
    /// Body bytes, valid during the call. Credit for them is due through `Session.consume`.
    func data(_ bytes: ByteSlice, on stream: Stream)
    /// The peer has sent all.
    func ended(on stream: Stream)
    /// The stream is gone; nothing more can be sent. `errorCode` 0 is a regular end.
    func closed(errorCode: UInt32, on stream: Stream)
}

/// One stream of a session: its number, its handler, and what is being sent on it.
///
/// Ownership: the session, until closed. Thread: the session's loop.
package final class Stream {
    package let id: Int32
    /// The session that the stream belongs to.
    package private(set) weak var session: Session?
    package var handler: (any StreamHandler)?
    /// True until the stream is closed.
    package internal(set) var isOpen = true
    /// The peer has sent END_STREAM.
    package internal(set) var peerEnded = false

    var headerListBytes = 0
    var headerCount = 0
    var emptyDataFrames = 0
    /// Received and not credited yet.
    var uncreditedBytes = 0

    /// What is left to send: `body[bodyOffset...]`, then `trailers`.
    var body: [UInt8] = []
    var bodyOffset = 0
    /// More of the body may come.
    var isBodyOpen = false
    var trailers: HeaderBlock?
    /// Send RST_STREAM(NO_ERROR) once the answer is out, because the peer has not ended its side.
    var resetsAfterAnswer = false

    /// Part of what was to be sent still waits for the peer.
    package var hasUnsentBody: Bool { !body.isEmpty }

    package var unsentBodySizeBytes: Int { body.count - bodyOffset }

    init(id: Int32, session: Session) {
        self.id = id
        self.session = session
    }
}

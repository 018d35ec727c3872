// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CNghttp2

extension Session {
    /// Answers with headers only, which also end our side ("Trailers-Only" in gRPC).
    ///
    /// Where the peer is still sending, RST_STREAM(NO_ERROR) follows, so that it stops (RFC 9113
    /// §8.1).
    package func respond(_ headers: HeaderBlock, on stream: Stream) {
        guard stream.isOpen else { return }
        stream.resetsAfterAnswer = role == .server && !stream.peerEnded
        let result = unsafe headers.withFields { fields, count in
            unsafe nghttp2_submit_response(raw, stream.id, fields, count, nil)
        }
        checkSubmitted(result)
    }

    /// Answers with headers, a body and trailers.
    package func respond(
        _ headers: HeaderBlock, body: [UInt8], trailers: HeaderBlock, on stream: Stream
    ) {
        guard stream.isOpen else { return }
        stream.resetsAfterAnswer = role == .server && !stream.peerEnded
        stream.body = body
        stream.bodyOffset = 0
        stream.trailers = trailers
        var provider = unsafe Session.bodyProvider()
        let result = unsafe headers.withFields { fields, count in
            unsafe nghttp2_submit_response(raw, stream.id, fields, count, &provider)
        }
        checkSubmitted(result)
    }

    /// Answers with headers and a body that is yet to come, see `append` and `endResponse`.
    package func beginResponse(_ headers: HeaderBlock, on stream: Stream) {
        guard stream.isOpen else { return }
        stream.isBodyOpen = true
        var provider = unsafe Session.bodyProvider()
        let result = unsafe headers.withFields { fields, count in
            unsafe nghttp2_submit_response(raw, stream.id, fields, count, &provider)
        }
        checkSubmitted(result)
    }

    /// Adds to a body that was begun. What it holds is bounded by who asks `hasUnsentBody` before.
    package func append(_ bytes: [UInt8], on stream: Stream) {
        precondition(stream.isBodyOpen)
        guard stream.isOpen else { return }
        // Who reads just enough never lets all of it go.
        stream.body.removeFirst(stream.bodyOffset)
        stream.bodyOffset = 0
        stream.body += bytes
        unsafe nghttp2_session_resume_data(raw, stream.id)
    }

    /// Ends a body that was begun.
    package func endResponse(_ trailers: HeaderBlock, on stream: Stream) {
        precondition(stream.isBodyOpen)
        stream.isBodyOpen = false
        stream.trailers = trailers
        guard stream.isOpen else { return }
        stream.resetsAfterAnswer = role == .server && !stream.peerEnded
        unsafe nghttp2_session_resume_data(raw, stream.id)
    }

    /// Opens a stream (client) that sends `body` and ends. Returns nil when no more streams fit.
    package func request(
        _ headers: HeaderBlock, body: [UInt8], handler: any StreamHandler
    ) -> Stream? {
        precondition(role == .client)
        var provider = unsafe Session.bodyProvider()
        let streamID = unsafe headers.withFields { fields, count in
            unsafe nghttp2_submit_request(raw, nil, fields, count, &provider, nil)
        }
        guard streamID > 0 else { return nil }
        let stream = open(streamID: streamID, handler: handler)
        stream.body = body
        return stream
    }

    /// Ends the stream at once, because time is over.
    package func cancel(_ stream: Stream) { reset(stream, errorCode: NGHTTP2_CANCEL.rawValue) }

    /// Ends the stream at once, both ways.
    package func reset(_ stream: Stream, errorCode: UInt32) {
        guard stream.isOpen else { return }
        unsafe nghttp2_submit_rst_stream(
            raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, errorCode)
    }

    /// A submission fails only for lack of memory or through a bug of ours.
    private func checkSubmitted(_ result: Int32) {
        if result != 0 { fail(.library(result)) }
    }

    private static func bodyProvider() -> nghttp2_data_provider {
        var provider = unsafe nghttp2_data_provider()
        unsafe provider.read_callback = { _, streamID, buffer, capacity, flags, _, context in
            let session = unsafe SessionCallbacks.session(context)
            return unsafe session.readBody(
                streamID: streamID,
                into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity), flags: flags!)
        }
        return unsafe provider
    }

    /// Copies the next part of a stream's body to nghttp2, and submits the trailers after the last.
    private func readBody(
        streamID: Int32, into buffer: UnsafeMutableRawBufferPointer,
        flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        guard let stream = openStream(streamID) else {
            return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        let count = min(buffer.count, stream.body.count - stream.bodyOffset)
        unsafe stream.body.withUnsafeBytes { body in
            let part = unsafe UnsafeRawBufferPointer(
                rebasing: body[stream.bodyOffset..<stream.bodyOffset + count])
            unsafe buffer.copyMemory(from: part)
        }
        stream.bodyOffset += count
        guard stream.bodyOffset == stream.body.count else { return count }
        stream.body = []
        stream.bodyOffset = 0
        if stream.isBodyOpen {
            return count > 0 ? count : Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        if let trailers = stream.trailers {
            stream.trailers = nil
            unsafe flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            let result = unsafe trailers.withFields { fields, count in
                unsafe nghttp2_submit_trailer(raw, streamID, fields, count)
            }
            checkSubmitted(result)
        }
        return count
    }
}

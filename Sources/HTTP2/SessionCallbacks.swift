// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CNghttp2

/// nghttp2's callbacks: each unwraps the session and forwards, nothing else.
enum SessionCallbacks {
    /// A callback set that the caller deletes after making the session.
    static func make() -> OpaquePointer {
        var callbacks: OpaquePointer?
        precondition(unsafe nghttp2_session_callbacks_new(&callbacks) == 0, "out of memory")
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) {
            _, frame, context in
            unsafe SessionCallbacks.session(context).headersBegan(frame!.pointee)
        }
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameSize, value, valueSize, _, context in
            unsafe SessionCallbacks.session(context).headerArrived(
                streamID: frame!.pointee.hd.stream_id,
                name: ByteSlice(base: UnsafeRawPointer(name), count: nameSize),
                value: ByteSlice(base: UnsafeRawPointer(value), count: valueSize))
        }
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, streamID, data, sizeBytes, context in
            unsafe SessionCallbacks.session(context).dataArrived(
                streamID: streamID, ByteSlice(base: UnsafeRawPointer(data), count: sizeBytes))
        }
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) {
            _, frame, context in
            unsafe SessionCallbacks.session(context).frameArrived(frame!.pointee)
        }
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) {
            _, frame, context in
            unsafe SessionCallbacks.session(context).frameSent(frame!.pointee)
        }
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
            _, streamID, errorCode, context in
            unsafe SessionCallbacks.session(context).close(streamID: streamID, errorCode: errorCode)
            return 0
        }
        unsafe nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) {
            _, _, reason, context in
            // A stream too many is counted by its reset: its client may not know yet how many.
            if reason != NGHTTP2_ERR_REFUSED_STREAM.rawValue {
                unsafe SessionCallbacks.session(context).count(.invalidFrame)
            }
            return 0
        }
        return unsafe callbacks!
    }

    static func session(_ context: UnsafeMutableRawPointer?) -> Session {
        unsafe Unmanaged<Session>.fromOpaque(context!).takeUnretainedValue()
    }
}

extension Session {
    fileprivate func headersBegan(_ frame: nghttp2_frame) -> Int32 {
        guard role == .server, unsafe frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue),
            unsafe frame.headers.cat == NGHTTP2_HCAT_REQUEST
        else { return 0 }
        _ = unsafe open(streamID: frame.hd.stream_id)
        return 0
    }

    fileprivate func headerArrived(streamID: Int32, name: ByteSlice, value: ByteSlice) -> Int32 {
        guard let stream = openStream(streamID) else { return 0 }
        stream.headerCount += 1
        stream.headerListBytes += name.count + value.count + 32
        guard stream.headerListBytes <= settings.headerListBytesMax,
            stream.headerCount <= settings.headerCountMax
        else {
            // nghttp2 announces the limit but does not hold the peer to it.
            count(.headerList)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        stream.handler?.header(name: name, value: value, on: stream)
        return 0
    }

    fileprivate func dataArrived(streamID: Int32, _ bytes: ByteSlice) -> Int32 {
        guard let stream = openStream(streamID) else {
            unsafe nghttp2_session_consume_connection(raw, bytes.count)
            return 0
        }
        stream.uncreditedBytes += bytes.count
        stream.handler?.data(bytes, on: stream)
        return 0
    }

    fileprivate func frameArrived(_ frame: nghttp2_frame) -> Int32 {
        let header = unsafe frame.hd
        let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            guard let stream = openStream(header.stream_id) else { return 0 }
            if unsafe frame.headers.cat != NGHTTP2_HCAT_HEADERS {
                stream.handler?.headersEnded(on: stream)
            }
            if endsStream { finish(stream) }
        case NGHTTP2_DATA.rawValue:
            guard let stream = openStream(header.stream_id) else { return 0 }
            if endsStream {
                finish(stream)
            } else if header.length == 0 {
                countEmptyData(stream)
            }
        case NGHTTP2_PING.rawValue:
            unsafe pingArrived(frame.ping)
        case NGHTTP2_SETTINGS.rawValue:
            settingsArrived(isAcknowledgement: header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0)
        case NGHTTP2_GOAWAY.rawValue:
            goAwayReceived?()
        default:
            break
        }
        return 0
    }

    private func finish(_ stream: Stream) {
        stream.peerEnded = true
        stream.handler?.ended(on: stream)
    }

    private func pingArrived(_ frame: nghttp2_ping) {
        guard frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 else { return count(.ping) }
        var payload: UInt64 = 0
        unsafe withUnsafeMutableBytes(of: &payload) { target in
            unsafe withUnsafeBytes(of: frame.opaque_data) { unsafe target.copyMemory(from: $0) }
        }
        pingAcknowledged?(UInt64(bigEndian: payload))
    }

    private func settingsArrived(isAcknowledgement: Bool) {
        guard !isAcknowledgement else { return areSettingsAcknowledged = true }
        hasPeerSettings = true
        count(.settings)
    }

    private func countEmptyData(_ stream: Stream) {
        stream.emptyDataFrames += 1
        if role == .server, stream.emptyDataFrames > settings.emptyDataFramesMax {
            fail(.abuse(.emptyData))
        }
    }

    fileprivate func frameSent(_ frame: nghttp2_frame) -> Int32 {
        let header = unsafe frame.hd
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            countAnswer()
            resetAfterAnswer(header)
        case NGHTTP2_DATA.rawValue:
            countAnswer()
        case NGHTTP2_RST_STREAM.rawValue:
            unsafe countSentReset(errorCode: frame.rst_stream.error_code)
        case NGHTTP2_GOAWAY.rawValue:
            let isError = unsafe frame.goaway.error_code != NGHTTP2_NO_ERROR.rawValue
            if isError, failure == nil { isRefused = true }
        default:
            break
        }
        return 0
    }

    /// NO_ERROR is our way to say that the rest of a request is not wanted, and CANCEL that time is
    /// over. A stream too many is refused before the peer knows how many it may have; anything else
    /// it has brought about.
    private func countSentReset(errorCode: UInt32) {
        switch nghttp2_error_code(errorCode) {
        case NGHTTP2_NO_ERROR, NGHTTP2_CANCEL: break
        case NGHTTP2_REFUSED_STREAM: count(.reset)
        default: count(.invalidFrame)
        }
    }

    private func resetAfterAnswer(_ header: nghttp2_frame_hd) {
        guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0,
            let stream = openStream(header.stream_id), stream.resetsAfterAnswer
        else { return }
        // Submitted together with the answer it would cancel the answer.
        unsafe nghttp2_submit_rst_stream(
            raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, NGHTTP2_NO_ERROR.rawValue)
    }
}

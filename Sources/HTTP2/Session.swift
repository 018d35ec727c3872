// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CNghttp2

/// One HTTP/2 connection as bytes in and bytes out: nghttp2 with the limits it does not have
/// itself.
///
/// It does no I/O and knows no clock. Feed `receive` with at most 16 KiB a time and send what
/// `nextOutput` gives in between, because nghttp2's limits act when output is made.
/// Ownership: owns the nghttp2 session. Thread: confined to one loop, hence not Sendable.
@safe
package final class Session {
    package enum Role { case server, client }

    /// Why the session cannot go on.
    package enum Failure: Error, Equatable {
        /// nghttp2 refused the input or ran out of memory; its own error code.
        case library(Int32)
        /// The peer crossed a limit of ours.
        case abuse(Abuse)
    }

    let raw: OpaquePointer
    let role: Role
    let settings: HTTP2Settings
    private(set) var streams: [Int32: Stream] = [:]
    private var meter: FrameMeter
    private var walk: FrameWalk
    /// Why it cannot go on; what is queued, a GOAWAY above all, may still be sent.
    package private(set) var failure: Failure?
    /// When bytes came last.
    package private(set) var lastReceivedNs: UInt64
    /// Streams that the peer has opened.
    package private(set) var streamCount: UInt64 = 0
    var hasPeerSettings = false
    var areSettingsAcknowledged = false
    /// Whether nghttp2 has ended the session for what the peer sent.
    package internal(set) var isRefused = false

    /// Makes the handler of a stream that the peer opens (server), called when its headers begin.
    package var makeHandler: ((Stream) -> any StreamHandler)?
    /// A PING of ours came back, with what `submitPing` was given.
    package var pingAcknowledged: ((UInt64) -> Void)?
    /// The peer will not take new streams.
    package var goAwayReceived: (() -> Void)?

    package init(role: Role, settings: HTTP2Settings) {
        self.role = role
        self.settings = settings
        meter = FrameMeter(settings)
        walk = FrameWalk(hasPreface: role == .server)
        lastReceivedNs = Clock.monotonicNs
        unsafe raw = Session.makeRaw(role: role, settings: settings)
        unsafe nghttp2_session_set_user_data(raw, Unmanaged.passUnretained(self).toOpaque())
        submitPreface()
    }

    deinit { unsafe nghttp2_session_del(raw) }

    // MARK: Bytes in, bytes out

    /// Takes what the socket gave at `nowNs`. After an error, flush `nextOutput` (it holds the
    /// GOAWAY), then close.
    package func receive(
        _ bytes: ByteSlice, nowNs: UInt64 = Clock.monotonicNs
    ) throws(Failure) {
        if let failure { throw failure }
        guard !bytes.isEmpty else { return }
        lastReceivedNs = nowNs
        countFrames(bytes)
        if let failure { throw failure }
        let taken = unsafe nghttp2_session_mem_recv(
            raw, bytes.base?.assumingMemoryBound(to: UInt8.self), bytes.count)
        if let failure { throw failure }
        guard taken >= 0 else { throw fail(.library(Int32(taken))) }
        guard unsafe nghttp2_session_get_outbound_queue_size(raw) <= settings.outboundFramesMax
        else {
            throw fail(.abuse(.unreadFrames))
        }
    }

    /// The next bytes to send, valid until the next call of any method; nil when there are none.
    package func nextOutput() throws(Failure) -> ByteSlice? {
        var data: UnsafePointer<UInt8>?
        let count = unsafe nghttp2_session_mem_send(raw, &data)
        guard count >= 0 else { throw fail(.library(Int32(count))) }
        guard count > 0 else { return nil }
        return unsafe ByteSlice(base: UnsafeRawPointer(data), count: count)
    }

    /// False when the session is over once its output is flushed.
    package var isAlive: Bool {
        unsafe nghttp2_session_want_read(raw) != 0 || nghttp2_session_want_write(raw) != 0
    }

    package var hasOutput: Bool { unsafe nghttp2_session_want_write(raw) != 0 }

    package var openStreamCount: Int { streams.count }

    /// The open stream with that number.
    package func openStream(_ id: Int32) -> Stream? { streams[id] }

    /// Visits every open stream; `body` may answer or reset it.
    package func forEachStream(_ body: (Stream) -> Void) {
        for stream in Array(streams.values) { body(stream) }
    }

    // MARK: Flow control

    /// Gives the peer credit for `bytes` more on this stream and on the connection.
    package func consume(_ bytes: Int, on stream: Stream) {
        precondition(bytes <= stream.uncreditedBytes)
        guard bytes > 0 else { return }
        stream.uncreditedBytes -= bytes
        if stream.isOpen {
            unsafe nghttp2_session_consume(raw, stream.id, bytes)
        } else {
            unsafe nghttp2_session_consume_connection(raw, bytes)
        }
    }

    // MARK: Ending

    /// First step of a graceful end: GOAWAY that refuses nothing yet (RFC 9113 §6.8).
    package func submitShutdownNotice() {
        unsafe nghttp2_submit_shutdown_notice(raw)
    }

    /// Asks the peer for a sign of life, which brings `payload` back.
    package func submitPing(_ payload: UInt64) {
        unsafe withUnsafeBytes(of: payload.bigEndian) { bytes in
            _ = unsafe nghttp2_submit_ping(
                raw, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// Second step: GOAWAY naming the last stream that is being served, and why.
    package func submitGoAway(_ debugText: StaticString = "") {
        submitGoAway(errorCode: NGHTTP2_NO_ERROR.rawValue, debugText)
    }

    private func submitGoAway(errorCode: UInt32, _ debugText: StaticString) {
        let lastID = unsafe nghttp2_session_get_last_proc_stream_id(raw)
        unsafe nghttp2_submit_goaway(
            raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), lastID, errorCode, debugText.utf8Start,
            debugText.utf8CodeUnitCount)
    }

    /// Ends the session for what the peer does, or does not do. Flush, then close.
    package func end(_ abuse: Abuse) { fail(.abuse(abuse)) }

    /// What `ConnectionLife` looks at.
    package var facts: ConnectionLife.Facts {
        ConnectionLife.Facts(
            hasPeerSettings: hasPeerSettings, areSettingsAcknowledged: areSettingsAcknowledged,
            headerBlock: walk.headerBlock, openStreamCount: streams.count, streamCount: streamCount,
            lastReceivedNs: lastReceivedNs)
    }

    /// Tells every handler that its stream is gone. Call once, when the connection is.
    package func abandonStreams() {
        for stream in streams.values {
            stream.isOpen = false
            stream.handler?.closed(errorCode: NGHTTP2_CANCEL.rawValue, on: stream)
            stream.handler = nil
        }
        streams.removeAll()
    }

    // MARK: Called by the callbacks

    func open(streamID: Int32, handler: (any StreamHandler)? = nil) -> Stream {
        let stream = Stream(id: streamID, session: self)
        streamCount += 1
        stream.handler = handler ?? makeHandler?(stream)
        streams[streamID] = stream
        return stream
    }

    func close(streamID: Int32, errorCode: UInt32) {
        guard let stream = streams.removeValue(forKey: streamID) else { return }
        stream.isOpen = false
        // What the closed stream had not been credited for would shrink the connection's window for
        // ever.
        consume(stream.uncreditedBytes, on: stream)
        stream.handler?.closed(errorCode: errorCode, on: stream)
        stream.handler = nil
    }

    /// Counts the frames that carry no request, DATA with next to nothing in it among them.
    private func countFrames(_ bytes: ByteSlice) {
        guard role == .server else { return }
        walk.walk(bytes) { frame in
            switch UInt32(frame.type) {
            case NGHTTP2_HEADERS.rawValue: return true
            case NGHTTP2_RST_STREAM.rawValue:
                count(.reset)
                return failure == nil
            case NGHTTP2_DATA.rawValue:
                let isLast = frame.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
                if isLast || frame.sizeBytes >= HTTP2Settings.smallDataSizeBytes { return true }
            default: break
            }
            count(.controlFrame)
            return failure == nil
        }
    }

    /// Counts what a server bears from its peer; too much of it ends the session.
    func count(_ event: FrameMeter.Event) {
        guard role == .server, let abuse = meter.count(event, nowNs: lastReceivedNs) else { return }
        fail(.abuse(abuse))
    }

    /// HEADERS or DATA went out.
    func countAnswer() { meter.answered() }

    /// Remembers the first failure and, where it is ours, tells the peer to calm down.
    @discardableResult
    func fail(_ failure: Failure) -> Failure {
        guard self.failure == nil else { return failure }
        self.failure = failure
        if case .abuse(let abuse) = failure {
            submitGoAway(errorCode: NGHTTP2_ENHANCE_YOUR_CALM.rawValue, abuse.debugText)
        }
        return failure
    }

    // MARK: Set-up

    private static func makeRaw(role: Role, settings: HTTP2Settings) -> OpaquePointer {
        var option: OpaquePointer?
        precondition(unsafe nghttp2_option_new(&option) == 0, "out of memory")
        defer { unsafe nghttp2_option_del(option) }
        // Credit is ours to give: a body that nobody could store must not be followed by more.
        unsafe nghttp2_option_set_no_auto_window_update(option, 1)
        unsafe nghttp2_option_set_max_outbound_ack(option, settings.outboundAcksMax)
        // Ours acts first, and is counted; this is what nghttp2 has of its own.
        unsafe nghttp2_option_set_stream_reset_rate_limit(
            option, 2 * settings.resets.burst,
            2 * max(1, 1_000_000_000 / settings.resets.intervalNs))
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        let callbacks = unsafe SessionCallbacks.make()
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        var raw: OpaquePointer?
        let result =
            switch role {
            case .server: unsafe nghttp2_session_server_new2(&raw, callbacks, nil, option)
            case .client: unsafe nghttp2_session_client_new2(&raw, callbacks, nil, option)
            }
        precondition(result == 0, "out of memory")
        return unsafe raw!
    }

    private func submitPreface() {
        var entries: [nghttp2_settings_entry] = [
            .init(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(settings.streamWindowBytes))
        ]
        switch role {
        case .server:
            entries.append(
                .init(
                    settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                    value: UInt32(settings.concurrentStreamsMax)))
            entries.append(
                .init(
                    settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                    value: UInt32(settings.headerListBytesMax)))
            // With it, PRIORITY frames cost nothing (RFC 9218 §2.1).
            entries.append(
                .init(
                    settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1))
        case .client:
            entries.append(
                .init(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0))
        }
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        unsafe entries.withUnsafeBufferPointer { entries in
            _ = unsafe nghttp2_submit_settings(raw, flags, entries.baseAddress, entries.count)
        }
        unsafe nghttp2_session_set_local_window_size(
            raw, flags, 0, Int32(settings.connectionWindowBytes))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import HTTP2
import Testing

/// Remembers what happens on a stream; answers as told.
private final class RecordingHandler: StreamHandler {
    var headers: [String: String] = [:]
    var bodySize = 0
    var isEnded = false
    var closeCode: UInt32?
    var onHeadersEnded: ((HTTP2.Stream) -> Void)?
    var onEnded: ((HTTP2.Stream) -> Void)?

    func header(name: ByteSlice, value: ByteSlice, on stream: HTTP2.Stream) {
        headers[name.string] = value.string
    }

    func headersEnded(on stream: HTTP2.Stream) { onHeadersEnded?(stream) }

    func data(_ bytes: ByteSlice, on stream: HTTP2.Stream) {
        bodySize += bytes.count
        stream.session?.consume(bytes.count, on: stream)
    }

    func ended(on stream: HTTP2.Stream) {
        isEnded = true
        onEnded?(stream)
    }

    func closed(errorCode: UInt32, on stream: HTTP2.Stream) { closeCode = errorCode }
}

private let requestHeaders = HeaderBlock([
    (":method", "POST"), (":scheme", "http"), (":path", "/x/y"), (":authority", "test"),
])
private let okHeaders = HeaderBlock([(":status", "200")])

/// A client session and a server session joined in memory.
private struct Pair {
    let client: Session
    let server: Session

    init(_ settings: HTTP2Settings = HTTP2Settings()) {
        client = Session(role: .client, settings: HTTP2Settings())
        server = Session(role: .server, settings: settings)
    }

    /// Moves bytes, `pieceSize` at a time, until neither side has any; returns the server's
    /// failure.
    @discardableResult
    func exchange(pieceSize: Int = 16_384) -> Session.Failure? {
        do throws(Session.Failure) {
            var isMoving = true
            while isMoving {
                isMoving = try move(from: client, to: server, pieceSize: pieceSize)
                isMoving = try move(from: server, to: client, pieceSize: pieceSize) || isMoving
            }
            return nil
        } catch {
            return error
        }
    }

    private func move(
        from source: Session, to target: Session, pieceSize: Int
    ) throws(Session.Failure) -> Bool {
        var isMoving = false
        while let bytes = try source.nextOutput() {
            isMoving = true
            var offset = 0
            while offset < bytes.count {
                let size = min(pieceSize, bytes.count - offset)
                try target.receive(bytes.slice(offset: offset, count: size))
                offset += size
            }
        }
        return isMoving
    }
}

@Suite struct SessionTests {
    @Test(arguments: [1, 7, 16_384])
    func aRequestAndItsAnswerSurviveAnySplit(pieceSize: Int) {
        let pair = Pair()
        let serverSide = RecordingHandler()
        serverSide.onEnded = { stream in
            stream.session?.respond(
                okHeaders, body: [1, 2, 3], trailers: HeaderBlock([("grpc-status", "0")]),
                on: stream)
        }
        pair.server.makeHandler = { _ in serverSide }
        let clientSide = RecordingHandler()
        let body = [UInt8](repeating: 9, count: 3_000_000)
        _ = pair.client.request(requestHeaders, body: body, handler: clientSide)
        #expect(pair.exchange(pieceSize: pieceSize) == nil)
        #expect(serverSide.headers[":path"] == "/x/y")
        #expect(serverSide.bodySize == body.count && serverSide.closeCode == 0)
        #expect(clientSide.headers[":status"] == "200" && clientSide.headers["grpc-status"] == "0")
        #expect(clientSide.bodySize == 3 && clientSide.closeCode == 0)
        #expect(pair.server.openStreamCount == 0)
    }

    @Test func anEarlyAnswerReachesTheClientAndStopsTheUpload() {
        let pair = Pair()
        let serverSide = RecordingHandler()
        serverSide.onHeadersEnded = { $0.session?.respond(okHeaders, on: $0) }
        pair.server.makeHandler = { _ in serverSide }
        let clientSide = RecordingHandler()
        let body = [UInt8](repeating: 9, count: 50_000_000)
        _ = pair.client.request(requestHeaders, body: body, handler: clientSide)
        #expect(pair.exchange() == nil)
        #expect(clientSide.headers[":status"] == "200")
        #expect(clientSide.closeCode == 0)
        #expect(serverSide.bodySize < body.count)
        #expect(pair.server.openStreamCount == 0)
    }

    @Test func aHeaderListOverTheLimitResetsTheStreamOnly() {
        var settings = HTTP2Settings()
        settings.headerListBytesMax = 1_000
        let pair = Pair(settings)
        var handlers: [RecordingHandler] = []
        pair.server.makeHandler = { _ in
            let handler = RecordingHandler()
            handler.onEnded = { $0.session?.respond(okHeaders, on: $0) }
            handlers.append(handler)
            return handler
        }
        var headers = requestHeaders
        headers.append("x-large", String(repeating: "a", count: 2_000))
        let refused = RecordingHandler()
        _ = pair.client.request(headers, body: [], handler: refused)
        #expect(pair.exchange() == nil)
        let served = RecordingHandler()
        _ = pair.client.request(requestHeaders, body: [], handler: served)
        #expect(pair.exchange() == nil)
        #expect(refused.headers[":status"] == nil && refused.closeCode != 0)
        #expect(served.headers[":status"] == "200" && served.closeCode == 0)
        #expect(handlers.count == 2)
    }

    @Test func invalidFramesBeyondTheLimitEndTheSession() {
        var settings = HTTP2Settings()
        settings.headerListBytesMax = 1_000
        settings.headerLists = RateLimit(burst: 3, intervalNs: 1 << 40)
        let pair = Pair(settings)
        pair.server.makeHandler = { _ in RecordingHandler() }
        var headers = requestHeaders
        headers.append("x-large", String(repeating: "a", count: 2_000))
        var failures: [Session.Failure?] = []
        for _ in 0..<5 {
            _ = pair.client.request(headers, body: [], handler: RecordingHandler())
            failures.append(pair.exchange())
        }
        #expect(failures.prefix(3).allSatisfy { $0 == nil })
        #expect(failures.dropFirst(3).allSatisfy { $0 == .abuse(.headerLists) })
    }

    @Test func twoStepGoAwayServesWhatWasSentInBetween() {
        let pair = Pair()
        var handlers: [RecordingHandler] = []
        var streams: [HTTP2.Stream] = []
        pair.server.makeHandler = { stream in
            let handler = RecordingHandler()
            handlers.append(handler)
            streams.append(stream)
            return handler
        }
        var isPingAcknowledged = false
        pair.server.pingAcknowledged = { isPingAcknowledged = $0 == 7 }
        let first = RecordingHandler()
        _ = pair.client.request(requestHeaders, body: [], handler: first)
        pair.exchange()
        pair.server.submitShutdownNotice()
        pair.server.submitPing(7)
        pair.exchange()
        #expect(isPingAcknowledged)
        #expect(first.closeCode == nil)
        pair.server.submitGoAway()
        pair.exchange()
        for stream in streams { pair.server.respond(okHeaders, on: stream) }
        pair.exchange()
        #expect(first.headers[":status"] == "200" && first.closeCode == 0)
        #expect(!pair.server.isAlive)
    }

    @Test func garbageIsAnErrorNotACrash() {
        let server = Session(role: .server, settings: HTTP2Settings())
        let garbage = [UInt8]("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        var failure: Session.Failure?
        unsafe garbage.withUnsafeBytes { bytes in
            do throws(Session.Failure) { try server.receive(unsafe ByteSlice(bytes)) } catch {
                failure = error
            }
        }
        #expect(failure != nil)
    }
}

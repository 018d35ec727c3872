// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import HTTP2

/// Takes what comes, and gives credit for it when it is told to.
private final class Reader: StreamHandler {
    var uncreditedCount = 0
    var isAsked = false

    func header(name: ByteSlice, value: ByteSlice, on stream: HTTP2.Stream) {}
    func headersEnded(on stream: HTTP2.Stream) {}
    func data(_ bytes: ByteSlice, on stream: HTTP2.Stream) { uncreditedCount += bytes.count }
    func ended(on stream: HTTP2.Stream) {}
    func closed(errorCode: UInt32, on stream: HTTP2.Stream) {}
}

// Goal: of an answer that is sent a part at a time, only what has not gone is kept. Method: a
// client that always leaves something behind.

@Suite struct UnreadBodyTests {
    @Test func whatHasGoneIsNotKept() throws {
        var windows = HTTP2Settings()
        windows.streamWindowBytes = 1_000
        let client = Session(role: .client, settings: windows)
        let server = Session(role: .server, settings: HTTP2Settings())
        var answered: HTTP2.Stream?
        let serverSide = Reader()
        server.makeHandler = { stream in
            answered = stream
            return serverSide
        }
        let clientSide = Reader()
        let headers = HeaderBlock([
            (":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "test"),
        ])
        let asked = try #require(client.request(headers, body: [1], handler: clientSide))
        try exchange(client, server)
        let stream = try #require(answered)
        server.beginResponse(HeaderBlock([(":status", "200")]), on: stream)
        server.append([UInt8](repeating: 7, count: 1_500), on: stream)
        var sizeBytesMax = 0
        for _ in 0..<100 {
            try exchange(client, server)
            #expect(stream.hasUnsentBody)
            client.consume(clientSide.uncreditedCount, on: asked)
            clientSide.uncreditedCount = 0
            server.append([UInt8](repeating: 7, count: 1_000), on: stream)
            sizeBytesMax = max(sizeBytesMax, stream.body.count)
        }
        #expect(sizeBytesMax <= 2_500)
    }

    @Test func aSessionThatNghttp2EndsSaysSo() throws {
        let server = Session(role: .server, settings: HTTP2Settings())
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        // SETTINGS, and a window that is opened by nothing.
        let frames: [UInt8] =
            [0, 0, 0, 4, 0, 0, 0, 0, 0] + [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try unsafe (preface + frames).withUnsafeBytes { try server.receive(unsafe ByteSlice($0)) }
        while try server.nextOutput() != nil {}
        #expect(server.isRefused && !server.isAlive && server.failure == nil)
        let other = Session(role: .server, settings: HTTP2Settings())
        try unsafe preface.withUnsafeBytes { try other.receive(unsafe ByteSlice($0)) }
        other.submitGoAway()
        while try other.nextOutput() != nil {}
        #expect(!other.isRefused)
    }

    private func exchange(_ first: Session, _ second: Session) throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            for (source, target) in [(first, second), (second, first)] {
                while let bytes = try source.nextOutput() {
                    try target.receive(bytes)
                    isMoving = true
                }
            }
        }
    }
}

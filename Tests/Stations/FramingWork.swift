// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC
internal import HTTP2

/// HTTP/2 and gRPC of one connection: the bytes of a client are recorded first, and then played to
/// a server that answers each request at once.
final class FramingWork: Work {
    /// What the client says, request by request.
    private let recording: [[[UInt8]]]
    private let itemCount: Int
    private let sink = AcceptingSink()
    private let server: ServerConnection

    var doneItemCount: Int { sink.requestCount * itemCount }

    /// As the loop feeds its connections.
    private static let pieceSizeBytes = 16 << 10

    init(_ input: Input) {
        itemCount = input.itemCount
        recording = FramingWork.record(input)
        server = FramingWork.makeServer(sink)
    }

    func run(_ range: Range<Int>) {
        for index in range {
            for piece in recording[index] { FramingWork.receive(piece, server) }
            FramingWork.drain(server)
        }
    }

    private static func makeServer(_ sink: AcceptingSink) -> ServerConnection {
        let server = ServerConnection(
            http2: HTTP2Settings(), settings: GRPCSettings(),
            budget: MemoryBudget(limitBytes: 256 << 20), counters: Counters(),
            retryHint: { 1_000 })
        server.sink = sink
        return server
    }

    private static func receive(_ piece: [UInt8], _ server: ServerConnection) {
        unsafe piece.withUnsafeBytes { bytes in
            do throws(Session.Failure) {
                try server.session.receive(unsafe ByteSlice(bytes))
            } catch {
                preconditionFailure("the server refused what a client of ours sent: \(error)")
            }
        }
    }

    /// Throws away what the server says.
    private static func drain(_ server: ServerConnection) {
        while next(of: server.session) != nil {}
    }

    private static func next(of session: Session) -> ByteSlice? {
        do throws(Session.Failure) {
            return try session.nextOutput()
        } catch {
            preconditionFailure("a session of ours failed: \(error)")
        }
    }

    // MARK: Recording

    private static func record(_ input: Input) -> [[[UInt8]]] {
        let sink = AcceptingSink()
        let server = makeServer(sink)
        let client = ClientConnection(http2: HTTP2Settings(), authority: "starling")
        return (0..<input.requestCount).map { index in
            let message = unsafe [UInt8](input.message(index).buffer)
            let framed = ClientConnection.frame(message, isCompressed: false)
            let isSent = client.export(
                input.signal, framed: framed, isCompressed: false, timeoutMs: 10_000
            ) { precondition($0.statusCode == 0) }
            precondition(isSent)
            return exchange(client, server)
        }
    }

    /// Moves bytes both ways until neither side has any; returns those of the client, in pieces.
    private static func exchange(
        _ client: ClientConnection, _ server: ServerConnection
    ) -> [[UInt8]] {
        var said: [UInt8] = []
        var isMoving = true
        while isMoving {
            isMoving = false
            while let bytes = next(of: client.session) {
                let copy = unsafe [UInt8](bytes.buffer)
                said += copy
                receive(copy, server)
                isMoving = true
            }
            while let bytes = next(of: server.session) {
                do throws(Session.Failure) {
                    try client.session.receive(bytes)
                } catch {
                    preconditionFailure("the client refused what the server sent: \(error)")
                }
                isMoving = true
            }
        }
        return stride(from: 0, to: said.count, by: pieceSizeBytes).map {
            Array(said[$0..<min($0 + pieceSizeBytes, said.count)])
        }
    }
}

/// Acknowledges everything.
private final class AcceptingSink: ExportSink {
    private(set) var requestCount = 0

    func received(
        _ message: consuming ExportMessage, streamID: Int32, from connection: ServerConnection
    ) -> Outcome? {
        requestCount += 1
        return .accepted
    }

    func abandoned(streamID: Int32) {}
}

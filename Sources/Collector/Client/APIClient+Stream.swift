// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Socket

extension APIClient {
    private static let headSizeBytesMax = 64 << 10

    /// Hands the body of the answer to GET of `target` to `write`, piece by piece as it comes.
    ///
    /// Returns nil when all of it has come; an answer where the daemon refuses. `patienceMs` is how
    /// long there may be silence. Errors: as `answer`; `failed` where the body broke off; those of
    /// `write`.
    package func stream(
        _ target: String, accepting contentType: String,
        to write: (ByteSlice) throws(DaemonError) -> Void
    ) throws(DaemonError) -> Answer? {
        let socket = try dialed(target, accepting: contentType)
        let buffer = ReadBuffer()
        var head: [UInt8] = []
        var bodyStart: Int?
        while bodyStart == nil {
            guard let input = try received(from: socket, into: buffer, head.count), !input.isEmpty,
                head.count < APIClient.headSizeBytesMax
            else { throw APIClient.noServer(endpoint) }
            unsafe head.append(contentsOf: input.buffer)
            bodyStart = APIClient.bodyStart(in: head)
        }
        let start = bodyStart ?? 0
        let (status, isChunked) = try APIClient.readHead(head[..<start], of: endpoint)
        guard status == 200, isChunked else {
            return try refusal(
                status, begun: Array(head[start...]), isChunked: isChunked, from: socket, buffer)
        }
        var body = ChunkedBody()
        var sizeBytes = 0
        // What came with the head.
        let begun: Result<Void, DaemonError> = unsafe Array(head[start...]).withUnsafeBytes {
            rest in
            Result { () throws(DaemonError) in
                try take(unsafe ByteSlice(rest), into: &body, &sizeBytes, write)
            }
        }
        try begun.get()
        while !body.isComplete {
            guard let input = try received(from: socket, into: buffer, sizeBytes), !input.isEmpty
            else { throw broken(after: sizeBytes) }
            try take(input, into: &body, &sizeBytes, write)
        }
        return nil
    }

    // MARK: Parts

    private func dialed(
        _ target: String, accepting contentType: String
    ) throws(DaemonError) -> DialedSocket {
        do throws(SystemError) {
            let socket = try DialedSocket(to: endpoint, context: context)
            let request = Array(request(target, accepting: contentType).utf8)
            let sent: Result<Void, SystemError> = unsafe request.withUnsafeBytes { bytes in
                Result { () throws(SystemError) in try socket.sendAll(unsafe ByteSlice(bytes)) }
            }
            try sent.get()
            return socket
        } catch {
            throw APIClient.unreachable(endpoint, error)
        }
    }

    /// What came next, empty at the end; nil when there was silence for too long.
    private func received(
        from socket: borrowing DialedSocket, into buffer: ReadBuffer, _ sizeBytes: Int
    ) throws(DaemonError) -> ByteSlice? {
        let deadlineNs = Clock.monotonicNs + UInt64(patienceMs) * 1_000_000
        do throws(SystemError) {
            while true {
                let leftNs = deadlineNs - min(Clock.monotonicNs, deadlineNs)
                let count = try unsafe socket.receive(
                    into: buffer.bytes, timeoutMs: Int(leftNs / 1_000_000))
                if let count { return buffer.prefix(count) }
                // TLS may have had something to say for itself.
                if leftNs == 0 { return nil }
            }
        } catch {
            throw sizeBytes > 0
                ? broken(after: sizeBytes) : APIClient.unreachable(endpoint, error)
        }
    }

    private func take(
        _ input: ByteSlice, into body: inout ChunkedBody, _ sizeBytes: inout Int,
        _ write: (ByteSlice) throws(DaemonError) -> Void
    ) throws(DaemonError) {
        let taken = try body.take(input) { (data) throws(DaemonError) in
            try write(data)
            sizeBytes += data.count
        }
        if case .failure = taken { throw broken(after: sizeBytes) }
    }

    private func broken(after sizeBytes: Int) -> DaemonError {
        DaemonError(
            .failed,
            "the answer of \(endpoint) broke off after \(sizeBytes) bytes: it is not whole; the "
                + "daemon's log may say why")
    }

    /// The rest of an answer that is short.
    private func refusal(
        _ status: Int, begun: [UInt8], isChunked: Bool, from socket: borrowing DialedSocket,
        _ buffer: ReadBuffer
    ) throws(DaemonError) -> Answer {
        var body = begun
        while body.count < APIClient.headSizeBytesMax,
            let input = try received(from: socket, into: buffer, body.count), !input.isEmpty
        {
            unsafe body.append(contentsOf: input.buffer)
        }
        return try APIClient.admitted(
            Answer(status: status, body: String(decoding: body, as: UTF8.self)), by: endpoint)
    }

    private static func bodyStart(in head: [UInt8]) -> Int? {
        let end = Array("\r\n\r\n".utf8)
        guard head.count >= end.count else { return nil }
        return (0...head.count - end.count).first { head[$0..<$0 + end.count].elementsEqual(end) }
            .map { $0 + end.count }
    }

    private static func readHead(
        _ head: ArraySlice<UInt8>, of endpoint: Endpoint
    ) throws(DaemonError) -> (status: Int, isChunked: Bool) {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        guard words.first?.hasPrefix("HTTP/1.") == true, words.count >= 2,
            let status = Int(words[1])
        else { throw noServer(endpoint) }
        let isChunked = lines.contains { line in
            let line = line.lowercased()
            return line.hasPrefix("transfer-encoding:") && line.hasSuffix("chunked")
        }
        return (status, isChunked)
    }
}

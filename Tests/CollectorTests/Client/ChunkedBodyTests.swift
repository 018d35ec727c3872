// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

@Suite struct ChunkedBodyTests {
    /// The data of `text`, which comes in pieces of `pieceSize`; nil where it is malformed.
    private static func data(
        of text: String, pieceSize: Int
    ) -> (data: String, isComplete: Bool)? {
        var body = ChunkedBody()
        var data: [UInt8] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceSize) {
            let piece = Array(bytes[start..<min(start + pieceSize, bytes.count)])
            let taken = unsafe piece.withUnsafeBytes {
                body.take(unsafe ByteSlice($0)) { unsafe data.append(contentsOf: $0.buffer) }
            }
            if case .failure = taken { return nil }
        }
        return (String(decoding: data, as: UTF8.self), body.isComplete)
    }

    // Method: each body in pieces of every size.
    @Test(
        arguments: [
            ("0\r\n\r\n", "", true), ("3\r\nabc\r\n0\r\n\r\n", "abc", true),
            ("3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", "abc0123456789abcdef", true),
            ("A;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", "0123456789", true),
            // What breaks off is not complete, wherever it does.
            ("3\r\nab", "ab", false), ("3\r\nabc\r\n", "abc", false),
            ("3\r\nabc\r\n0", "abc", false),
            ("3\r\nabc\r\n0\r\n", "abc", false), ("", "", false),
        ] as [(String, String, Bool)])
    func chunksArePutTogether(_ text: String, _ data: String, _ isComplete: Bool) {
        for pieceSize in 1...max(1, text.utf8.count) {
            let found = ChunkedBodyTests.data(of: text, pieceSize: pieceSize)
            #expect(found?.data == data && found?.isComplete == isComplete)
        }
    }

    @Test(arguments: ["\r\n", "x\r\n", "3\r\nabcd", "123456789\r\n", "0\r\n\r\nmore"])
    func whatIsNoChunkIsMalformed(_ text: String) {
        #expect(ChunkedBodyTests.data(of: text, pieceSize: 1) == nil)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

// Goal: of several questions in one message the last is answered, and it alone. Method: the answer
// to it by itself, behind whatever was asked.

@Suite struct ReflectionServiceTests {
    private func answer(_ request: [UInt8]) -> [UInt8]? {
        unsafe request.withUnsafeBytes {
            unsafe ReflectionService.response(to: ByteSlice($0))?.bytes
        }
    }

    private func field(_ number: UInt8, _ text: String = "") -> [UInt8] {
        [number << 3 | 2, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    /// What an answer says, without the question that it repeats as field 2.
    private func said(_ request: [UInt8]) throws -> ArraySlice<UInt8> {
        let bytes = try #require(answer(request))
        let size = request.count < 128 ? 1 : 2
        let start = try #require(
            bytes.indices.first {
                bytes[$0] == 0x12 && bytes.dropFirst($0 + 1 + size).starts(with: request)
            })
        return bytes[(start + 1 + size + request.count)...]
    }

    @Test func theLastQuestionCounts() throws {
        let services = field(7, "*")
        let file = field(3, "opentelemetry/proto/collector/trace/v1/trace_service.proto")
        let alone = try said(services)
        #expect(try said(file + services) == alone)
        #expect(try said(services + file) == said(file))
        #expect(try said(file) != alone)
        let many = [UInt8](repeatingBlock: services, count: 1_000)
        #expect(try said(many) == alone)
    }

    @Test func theHostIsRepeatedOnce() throws {
        let bytes = try #require(answer(field(1, "a") + field(1, "b") + field(7)))
        #expect(bytes.starts(with: field(1, "b")))
        #expect(answer([0x3a, 5, 1]) == nil)
    }
}

extension [UInt8] {
    fileprivate init(repeatingBlock block: [UInt8], count: Int) {
        self = (0..<count).flatMap { _ in block }
    }
}

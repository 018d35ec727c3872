// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The messages of grpc.reflection, whose two versions differ in their names only.
enum ReflectionService {
    /// The paths of its one method.
    static let paths: [StaticString] = [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ]

    /// Longest ServerReflectionRequest that is looked at.
    static let requestSizeBytesMax = 4_096
    /// Bytes of answers that may wait for a client that asks and does not read.
    static let unreadSizeBytesMax = 128 << 10

    /// The answer to a ServerReflectionRequest; nil where the bytes are none.
    ///
    /// Of several questions in one the last counts, as protobuf wants it; only that one is
    /// answered, because 4 KiB hold two thousand.
    static func response(to request: ByteSlice) -> WireMessage? {
        var fields = WireFields(request)
        var response = WireMessage()
        var host: ByteSlice?
        var question: (number: UInt64, content: ByteSlice)?
        while let field = fields.next() {
            guard case .bytes(let content) = field.value else { continue }
            switch field.number {
            case 1: host = content
            case 3...7: question = (field.number, content)
            default: break
            }
        }
        guard !fields.isMalformed else { return nil }
        if let host { unsafe response.append(1, bytes: host.buffer) }
        let chosen = answer(question?.number ?? 0, question?.content ?? .empty)
        unsafe response.append(2, bytes: request.buffer)
        response.append(chosen.number, chosen.message)
        return response
    }

    private static func answer(
        _ number: UInt64, _ content: ByteSlice
    ) -> (number: UInt64, message: WireMessage) {
        switch number {
        case 3: files(DescriptorPool.shared.file(named: content.string))
        case 4: files(DescriptorPool.shared.file(containing: content.string))
        case 5: error(.notFound, "there are no extensions")
        case 6: extensions(of: content.string)
        case 7: services()
        default: error(.invalidArgument, "the request asks nothing that is known")
        }
    }

    private static func files(
        _ file: DescriptorPool.File?
    ) -> (number: UInt64, message: WireMessage) {
        guard let file else { return error(.notFound, "there is no such file or symbol") }
        var message = WireMessage()
        message.append(1, bytes: file.bytes)
        return (4, message)
    }

    /// proto3 has none, but the type must be there.
    private static func extensions(of type: String) -> (number: UInt64, message: WireMessage) {
        guard DescriptorPool.shared.file(containing: type) != nil else {
            return error(.notFound, "there is no such type")
        }
        var message = WireMessage()
        message.append(1, bytes: type.utf8)
        return (5, message)
    }

    private static func services() -> (number: UInt64, message: WireMessage) {
        var message = WireMessage()
        for service in DescriptorPool.shared.services {
            var entry = WireMessage()
            entry.append(1, bytes: service.utf8)
            message.append(1, entry)
        }
        return (6, message)
    }

    private static func error(
        _ code: StatusCode, _ text: String
    ) -> (number: UInt64, message: WireMessage) {
        var message = WireMessage()
        message.append(1, varint: UInt64(code.rawValue))
        message.append(2, bytes: text.utf8)
        return (7, message)
    }
}

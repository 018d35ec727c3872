// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// The interface files as published, by name and by what they define.
///
/// Made once, when somebody asks first. Thread: any.
final class DescriptorPool: Sendable {
    struct File: Sendable {
        let name: String
        /// A serialized FileDescriptorProto.
        let bytes: [UInt8]
    }

    static let shared = DescriptorPool()

    private let files: [File]
    private let filesByName: [String: Int]
    private let filesBySymbol: [String: Int]
    /// Full names of the services that are served here, in the order of files.
    let services: [String]

    private init() {
        var files: [File] = []
        var symbols: [String: Int] = [:]
        var services: [String] = []
        for index in 0..<cotlp_descriptor_count() {
            guard let descriptor = unsafe cotlp_descriptor_at(index)?.pointee else { continue }
            let content = unsafe ByteSlice(
                base: UnsafeRawPointer(descriptor.bytes), count: descriptor.size_bytes)
            var found = Symbols()
            found.read(file: content)
            for symbol in found.names { symbols[symbol] = files.count }
            services += found.services
            files.append(
                File(
                    name: unsafe String(cString: descriptor.file_name),
                    bytes: unsafe Array(content.buffer)))
        }
        self.files = files
        self.services = services
        filesBySymbol = symbols
        filesByName = Dictionary(
            files.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func file(named name: String) -> File? { filesByName[name].map { files[$0] } }

    /// The file that defines a message, enum, service, method or field by its full name.
    func file(containing symbol: String) -> File? { filesBySymbol[symbol].map { files[$0] } }
}

/// The full names in a FileDescriptorProto (google/protobuf/descriptor.proto).
private struct Symbols {
    private(set) var names: [String] = []
    private(set) var services: [String] = []

    mutating func read(file: ByteSlice) {
        let package = Symbols.text(2, of: file)
        let prefix = package.isEmpty ? "" : package + "."
        Symbols.forEach(of: file) { number, content in
            switch number {
            case 4: addMessage(content, in: prefix)
            case 5: addEnum(content, in: prefix)
            case 6: addService(content, in: prefix)
            default: break
            }
        }
    }

    /// Fields, oneofs, nested messages and enums. Descriptors are ours: they do not nest deeply.
    private mutating func addMessage(_ message: ByteSlice, in prefix: String) {
        let name = prefix + Symbols.text(1, of: message)
        names.append(name)
        Symbols.forEach(of: message) { number, content in
            switch number {
            case 2, 8: names.append(name + "." + Symbols.text(1, of: content))
            case 3: addMessage(content, in: name + ".")
            case 4: addEnum(content, in: name + ".")
            default: break
            }
        }
    }

    /// Values of an enum are siblings of it.
    private mutating func addEnum(_ content: ByteSlice, in prefix: String) {
        names.append(prefix + Symbols.text(1, of: content))
        Symbols.forEach(of: content) { number, value in
            if number == 2 { names.append(prefix + Symbols.text(1, of: value)) }
        }
    }

    private mutating func addService(_ service: ByteSlice, in prefix: String) {
        let name = prefix + Symbols.text(1, of: service)
        names.append(name)
        services.append(name)
        Symbols.forEach(of: service) { number, method in
            if number == 2 { names.append(name + "." + Symbols.text(1, of: method)) }
        }
    }

    private static func text(_ wanted: UInt64, of message: ByteSlice) -> String {
        var text = ""
        forEach(of: message) { number, content in if number == wanted { text = content.string } }
        return text
    }

    private static func forEach(of message: ByteSlice, _ body: (UInt64, ByteSlice) -> Void) {
        var fields = WireFields(message)
        while let field = fields.next() {
            if case .bytes(let content) = field.value { body(field.number, content) }
        }
    }
}

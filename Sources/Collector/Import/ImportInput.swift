// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import GRPC
internal import Socket

/// The bytes of a file from front to back, of which as many are held as its reader has not taken.
///
/// A file that begins as gzip does is unpacked; all places are of what comes out of it. Thread:
/// one; reading waits.
struct ImportInput: ~Copyable {
    private let file: InputFile
    private var bytes: [UInt8] = []
    /// The first that is not taken, as an index of `bytes`.
    private var start = 0
    private var isAtEnd = false
    /// Whether the first bytes were read.
    private var isBegun = false
    /// Of a file that is packed.
    private var unpacker: GzipUnpacker?
    private var packed = PackedInput()
    /// Bytes before that.
    private(set) var offset = 0

    /// `-` is standard input. Errors: where it cannot be opened.
    init(_ path: String) throws(ImportFault) { file = try InputFile(path) }

    /// The path, for people.
    var name: String { file.name }

    /// Those that are held and not taken.
    var heldCount: Int { bytes.count - start }

    /// Byte `index` behind those that were taken; nil at the end of the file.
    mutating func byte(_ index: Int) throws(ImportFault) -> UInt8? {
        while heldCount <= index, !isAtEnd { try fill() }
        return heldCount > index ? bytes[start + index] : nil
    }

    /// Takes the next `count`, which are held.
    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(bytes[start..<start + count])
        skip(count)
        return taken
    }

    /// The same, without a look at them.
    mutating func skip(_ count: Int) {
        start += count
        offset += count
    }

    private mutating func fill() throws(ImportFault) {
        bytes.removeFirst(start)
        start = 0
        if !isBegun {
            try begin()
        } else if unpacker == nil {
            isAtEnd = try file.read(into: &bytes) == 0
        } else {
            try unpackMore()
        }
    }

    /// Reads the first bytes, which say whether the file is packed.
    private mutating func begin() throws(ImportFault) {
        isBegun = true
        // A pipe may give them one by one.
        while bytes.count < PackedInput.magic.count, !isAtEnd {
            isAtEnd = try file.read(into: &bytes) == 0
        }
        guard bytes.starts(with: PackedInput.magic) else { return }
        packed.bytes = bytes
        bytes = []
        unpacker = GzipUnpacker()
        try unpackMore()
    }

    /// Unpacks what there is room for, or finds the end.
    private mutating func unpackMore() throws(ImportFault) {
        var room = [UInt8](repeating: 0, count: InputFile.readSizeBytes)
        var madeCount = 0
        while madeCount == 0 {
            if packed.isEmpty {
                packed.bytes.removeAll(keepingCapacity: true)
                packed.start = 0
                guard try file.read(into: &packed.bytes) > 0 else {
                    guard unpacker?.isComplete == true else {
                        throw packed.fault("the file ends within gzip data; was it cut off?", name)
                    }
                    isAtEnd = true
                    return
                }
            }
            madeCount = try unpack(into: &room)
        }
        bytes.append(contentsOf: room[..<madeCount])
    }

    private mutating func unpack(into room: inout [UInt8]) throws(ImportFault) -> Int {
        let input = packed.bytes
        let result: Result<GzipUnpacker.Step?, GzipUnpacker.Damage> =
            unsafe input.withUnsafeBytes { input in
                unsafe room.withUnsafeMutableBytes { room in
                    Result { () throws(GzipUnpacker.Damage) in
                        let rest = unsafe ByteSlice(input).slice(
                            offset: packed.start, count: input.count - packed.start)
                        return try unsafe unpacker?.unpack(rest, into: room)
                    }
                }
            }
        switch result {
        case .success(let step):
            packed.take(step?.takenCount ?? 0)
            return step?.madeCount ?? 0
        case .failure(let damage):
            packed.take(damage.takenCount)
            throw packed.fault("the gzip data is damaged; gzip -t says the same", name)
        }
    }
}

/// A file that is open, or standard input.
private struct InputFile: ~Copyable {
    /// The path, for people.
    let name: String
    private let descriptor: FileDescriptor

    private static let standardInput = "-"
    static let readSizeBytes = 256 << 10

    init(_ path: String) throws(ImportFault) {
        let isStandardInput = path == InputFile.standardInput
        name = isStandardInput ? "standard input" : path
        let raw =
            isStandardInput
            ? dup(STDIN_FILENO) : unsafe linux_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else {
            throw ImportFault(
                description: "\(name) cannot be opened: \(TextFile.errorText(linux_errno()))")
        }
        descriptor = FileDescriptor(owning: raw)
    }

    /// Appends what is read next; returns how much that is, 0 at the end.
    func read(into bytes: inout [UInt8]) throws(ImportFault) -> Int {
        let held = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: InputFile.readSizeBytes))
        let read = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[held...]))
        }
        var count = 0
        if case .bytes(let found) = read { count = found }
        bytes.removeLast(InputFile.readSizeBytes - count)
        if case .failed(let code) = read {
            throw ImportFault(
                description: "\(name) cannot be read: \(TextFile.errorText(code))")
        }
        return count
    }
}

/// What was read of a packed file and not unpacked.
private struct PackedInput {
    /// What gzip begins with (RFC 1952, section 2.3.1).
    static let magic: [UInt8] = [0x1f, 0x8b]

    var bytes: [UInt8] = []
    /// The first that is not unpacked.
    var start = 0
    /// Bytes of the file before that.
    private var offset = 0

    var isEmpty: Bool { start == bytes.count }

    mutating func take(_ count: Int) {
        start += count
        offset += count
    }

    func fault(_ reason: String, _ name: String) -> ImportFault {
        ImportFault(description: "\(name), byte \(offset) as it is packed: \(reason)")
    }
}

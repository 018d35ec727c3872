// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Socket

/// The bytes of a file from front to back, of which as many are held as its reader has not taken.
///
/// Thread: one; reading waits.
struct ImportInput: ~Copyable {
    /// The path, for people.
    let name: String
    private let descriptor: FileDescriptor
    private var bytes: [UInt8] = []
    /// The first that is not taken, as an index of `bytes`.
    private var start = 0
    private var isAtEnd = false
    /// Bytes of the file before that.
    private(set) var offset = 0

    static let standardInput = "-"
    private static let readSizeBytes = 256 << 10

    /// `-` is standard input. Errors: where it cannot be opened.
    init(_ path: String) throws(ImportFault) {
        let isStandardInput = path == ImportInput.standardInput
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
        let held = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: ImportInput.readSizeBytes))
        let read = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[held...]))
        }
        var count = 0
        if case .bytes(let found) = read { count = found }
        bytes.removeLast(ImportInput.readSizeBytes - count)
        if case .failed(let code) = read {
            throw ImportFault(
                description: "\(name) cannot be read: \(TextFile.errorText(code))")
        }
        isAtEnd = count == 0
    }
}

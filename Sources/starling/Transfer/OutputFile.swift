// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Collector
internal import Query

/// Where an export goes: standard output, or a file that has its name only when it is whole.
///
/// Until `finish` it is called `NAME.part`, and stays so where that is never called. One whose name
/// ends with `.gz` is packed.
struct OutputFile: ~Copyable {
    private let path: String?
    private let descriptor: Int32
    /// Nil where it is not packed.
    private let packer: GzipPacker?

    static let suffix = ".part"
    static let packedSuffix = ".gz"

    /// Nil is standard output.
    init(_ path: String?) throws(DaemonError) {
        self.path = path
        guard let path else {
            descriptor = STDOUT_FILENO
            packer = nil
            return
        }
        let isPacked = path.hasSuffix(OutputFile.packedSuffix)
        packer = isPacked ? GzipPacker(.thorough) : nil
        let part = path + OutputFile.suffix
        descriptor = unsafe linux_open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw OutputFile.failure("open", part) }
        guard packer != nil || !isPacked else {
            throw DaemonError(.failed, "there is no memory to pack \(part) with")
        }
    }

    deinit { if path != nil { close(descriptor) } }

    /// Writes all of `bytes`.
    func write(_ bytes: ByteSlice) throws(DaemonError) {
        if packer == nil { try writeAll(bytes) } else { try pack(bytes, .none) }
    }

    private func pack(_ bytes: ByteSlice, _ flush: GzipPacker.Flush) throws(DaemonError) {
        var packed: [UInt8] = []
        packer?.pack(bytes, flush, to: &packed)
        let written: Result<Void, DaemonError> = unsafe packed.withUnsafeBytes { packed in
            Result { () throws(DaemonError) in try writeAll(unsafe ByteSlice(packed)) }
        }
        try written.get()
    }

    private func writeAll(_ bytes: ByteSlice) throws(DaemonError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = unsafe CLinux.write(descriptor, rest.base, rest.count)
            if count < 0, linux_errno() == EINTR { continue }
            guard count > 0 else { throw OutputFile.failure("write to", name) }
            rest = rest.slice(offset: count, count: rest.count - count)
        }
    }

    /// Gives the file its name, with all of it on disk.
    func finish() throws(DaemonError) {
        guard let path else { return }
        if packer != nil { try pack(.empty, .end) }
        guard fsync(descriptor) == 0 else { throw OutputFile.failure("write to", name) }
        guard unsafe rename(name, path) == 0 else { throw OutputFile.failure("rename", name) }
    }

    private var name: String { path.map { $0 + OutputFile.suffix } ?? "standard output" }

    private static func failure(_ doing: String, _ name: String) -> DaemonError {
        DaemonError(
            .failed, "cannot \(doing) \(name): \(TextFile.errorText(linux_errno()))")
    }
}

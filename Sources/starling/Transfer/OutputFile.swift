// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Collector

/// Where an export goes: standard output, or a file that has its name only when it is whole.
///
/// Until `finish` it is called `NAME.part`, and stays so where that is never called.
struct OutputFile: ~Copyable {
    private let path: String?
    private let descriptor: Int32

    static let suffix = ".part"

    /// Nil is standard output.
    init(_ path: String?) throws(DaemonError) {
        self.path = path
        guard let path else {
            descriptor = STDOUT_FILENO
            return
        }
        let part = path + OutputFile.suffix
        descriptor = unsafe linux_open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw OutputFile.failure("open", part) }
    }

    deinit { if path != nil { close(descriptor) } }

    /// Writes all of `bytes`.
    func write(_ bytes: ByteSlice) throws(DaemonError) {
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
        guard fsync(descriptor) == 0 else { throw OutputFile.failure("write to", name) }
        guard unsafe rename(name, path) == 0 else { throw OutputFile.failure("rename", name) }
    }

    private var name: String { path.map { $0 + OutputFile.suffix } ?? "standard output" }

    private static func failure(_ doing: String, _ name: String) -> DaemonError {
        DaemonError(
            .failed, "cannot \(doing) \(name): \(TextFile.errorText(linux_errno()))")
    }
}

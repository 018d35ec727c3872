// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Why the spool cannot be used, or did not take something.
package enum SpoolError: Error, Equatable, CustomStringConvertible {
    /// A system call failed.
    case system(call: String, path: String, code: Int32)
    /// `spool.bytes_max` is reached.
    case full
    /// Another process uses the directory.
    case locked(path: String)
    /// A file was written by a version that writes another format.
    case unknownVersion(path: String, version: UInt32)
    /// A file does not hold what its name says.
    case notOurs(path: String)

    init(_ call: String, _ path: String) {
        self = .system(call: call, path: path, code: linux_errno())
    }

    /// Whether the disk, or a quota on it, has nothing left.
    var isForWantOfRoom: Bool {
        guard case .system(_, _, let code) = self else { return false }
        return [ENOSPC, EDQUOT].contains(code)
    }

    package var description: String {
        switch self {
        case .system(let call, let path, let code):
            unsafe "\(call) \(path): \(String(cString: strerror(code)))"
        case .full:
            "the spool has reached spool.bytes_max"
        case .locked(let path):
            "\(path) is in use by another daemon; give each a spool.directory of its own"
        case .unknownVersion(let path, let version):
            "\(path) has format version \(version), and this program knows "
                + "\(SpoolFormat.version); let the version that wrote it empty the spool"
        case .notOurs(let path):
            "\(path) is not a file of a spool; remove it, or choose another spool.directory"
        }
    }
}

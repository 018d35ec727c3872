// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The few questions to the file system that `up` has.
enum FileSystem {
    /// What `lstat` says about a path.
    struct Entry {
        let isFolder: Bool
        let userID: UInt32
        let groupID: UInt32
        /// The permission bits.
        let mode: UInt32
    }

    /// Nil if there is nothing at `path`. A link is reported as what it is, not as its target.
    static func entry(_ path: String) -> Entry? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        return entry(status)
    }

    /// As `entry`, but of what a link leads to.
    static func target(_ path: String) -> Entry? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return entry(status)
    }

    private static func entry(_ status: stat) -> Entry {
        Entry(  // S_IFMT and S_IFDIR, which have a sign here
            isFolder: status.st_mode & 0o170000 == 0o040000, userID: status.st_uid,
            groupID: status.st_gid, mode: status.st_mode & 0o7777)
    }

    /// Whether a program could be run from `path`.
    static func isExecutable(_ path: String) -> Bool {
        unsafe access(path, X_OK) == 0 && target(path)?.isFolder == false
    }

    /// The names in a folder, sorted; empty if it cannot be read.
    static func names(in path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes a folder, and those above it with mode 0755.
    static func makeFolder(_ path: String, mode: UInt32) throws(EmbeddedError) {
        if target(path)?.isFolder == true { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeFolder(String(path[..<slash]), mode: 0o755)
        }
        guard unsafe mkdir(path, mode) == 0 || linux_errno() == EEXIST else {
            throw fault("make", path)
        }
        guard unsafe chmod(path, mode) == 0 else { throw fault("set the mode of", path) }
    }

    /// Removes a folder with everything in it. Links are removed, not followed.
    static func removeTree(_ path: String) throws(EmbeddedError) {
        guard let entry = entry(path) else { return }
        guard entry.isFolder else {
            guard unsafe unlink(path) == 0 else { throw fault("remove", path) }
            return
        }
        for name in names(in: path) { try removeTree(path + "/" + name) }
        guard unsafe rmdir(path) == 0 else { throw fault("remove", path) }
    }

    /// Replaces the file at `path` as a whole: a reader sees the old or the new text.
    static func replace(_ path: String, with text: String, mode: UInt32) throws(EmbeddedError) {
        let draft = path + ".new"
        _ = unsafe unlink(draft)
        let descriptor = unsafe linux_open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw fault("write", draft) }
        let bytes = Array(text.utf8)
        let count = unsafe write(descriptor, bytes, bytes.count)
        let isWritten = count == bytes.count && fchmod(descriptor, mode) == 0
        guard close(descriptor) == 0, isWritten, unsafe CLinux.rename(draft, path) == 0 else {
            throw fault("write", path)
        }
    }

    static func rename(_ path: String, to newPath: String) throws(EmbeddedError) {
        guard unsafe CLinux.rename(path, newPath) == 0 else { throw fault("rename", path) }
    }

    static func changeOwner(_ path: String, userID: UInt32, groupID: UInt32) throws(EmbeddedError) {
        guard unsafe chown(path, userID, groupID) == 0 else { throw fault("give away", path) }
    }

    /// Where a link leads, or nil.
    static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe readlink(
                path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Bytes that can still be written to the file system of `path`; 0 if unknown.
    static func freeSizeBytes(_ path: String) -> Int {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else { return 0 }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    /// `path` made absolute against the current folder, without `.`, `..` and empty parts.
    static func absolute(_ path: String) -> String {
        var parts: [Substring] = []
        let base = path.hasPrefix("/") ? "" : (linkTarget("/proc/self/cwd") ?? "")
        for part in (base + "/" + path).split(separator: "/") where part != "." {
            if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private static func fault(_ verb: String, _ path: String) -> EmbeddedError {
        EmbeddedError(
            .setup, "cannot \(verb) \(path): \(TextFile.errorText(linux_errno()))",
            remedy: "check the permissions and the free space there, or choose another --state-dir")
    }
}

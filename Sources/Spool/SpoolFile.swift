// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// What the spool asks of the disk when it appends. Tests put a disk that fails in its place.
package struct SpoolDisk: Sendable {
    /// As pwrite(2): descriptor, bytes, offset; bytes written, or -1 and errno.
    package var write: @Sendable (Int32, ByteSlice, Int) -> Int
    /// As fdatasync(2).
    package var sync: @Sendable (Int32) -> Int32

    package init(
        write: @escaping @Sendable (Int32, ByteSlice, Int) -> Int,
        sync: @escaping @Sendable (Int32) -> Int32
    ) {
        self.write = write
        self.sync = sync
    }

    package static let real = SpoolDisk(
        write: { unsafe pwrite($0, $1.base, $1.count, off_t($2)) }, sync: { fdatasync($0) })
}

/// Owner of one open file: closed when nobody holds it any more. Thread: any.
final class SpoolFile: Sendable {
    let path: String
    let descriptor: Int32

    init(_ path: String, flags: Int32) throws(SpoolError) {
        self.path = path
        descriptor = unsafe linux_open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SpoolError("open", path) }
    }

    deinit { close(descriptor) }

    func sizeBytes() throws(SpoolError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SpoolError("fstat", path) }
        return Int(status.st_size)
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: ByteSlice, at offset: Int, disk: SpoolDisk) throws(SpoolError) {
        var done = 0
        while done < bytes.count {
            let rest = bytes.slice(offset: done, count: bytes.count - done)
            let count = disk.write(descriptor, rest, offset + done)
            if count < 0 {
                if linux_errno() == EINTR { continue }
                throw SpoolError("write", path)
            }
            done += count
        }
    }

    /// Reads into `buffer` what there is from `offset` on, up to its size; returns how much.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SpoolError) -> Int
    {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let count = unsafe pread(
                descriptor, base + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if linux_errno() == EINTR { continue }
                throw SpoolError("read", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: [UInt8], at offset: Int, disk: SpoolDisk) throws(SpoolError) {
        let result = unsafe bytes.withUnsafeBytes { buffer -> Result<Void, SpoolError> in
            do throws(SpoolError) {
                return .success(try unsafe write(ByteSlice(buffer), at: offset, disk: disk))
            } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Reads into the front of `bytes`, at most `count` of them; returns how many there were.
    func read(
        at offset: Int, into bytes: inout [UInt8], count: Int
    ) throws(SpoolError) -> Int {
        let result = unsafe bytes.withUnsafeMutableBytes { buffer -> Result<Int, SpoolError> in
            do throws(SpoolError) {
                return .success(
                    try unsafe read(
                        at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
                )
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    func sync(disk: SpoolDisk) throws(SpoolError) {
        guard disk.sync(descriptor) == 0 else { throw SpoolError("fdatasync", path) }
    }

    func truncate(sizeBytes: Int) throws(SpoolError) {
        guard ftruncate(descriptor, off_t(sizeBytes)) == 0 else {
            throw SpoolError("ftruncate", path)
        }
    }
}

/// The folder that the files are in: who uses it, what is there, and changes to it that last.
///
/// Thread: any; who changes what is the spool's to order.
final class SpoolFolder: Sendable {
    let path: String
    private let folder: SpoolFile
    private let lock: SpoolFile

    /// Makes the folder if it is missing, and keeps everyone else out for as long as this value
    /// lives.
    init(_ path: String) throws(SpoolError) {
        self.path = path
        guard unsafe mkdir(path, 0o700) == 0 || linux_errno() == EEXIST else {
            throw SpoolError("mkdir", path)
        }
        folder = try SpoolFile(path, flags: O_RDONLY | O_DIRECTORY)
        lock = try SpoolFile(path + "/lock", flags: O_RDWR | O_CREAT)
        try lockFolder()
        try sync()
    }

    /// Waits a moment for a daemon that is just ending: a process that it has forked holds the lock
    /// until it runs another program.
    private func lockFolder() throws(SpoolError) {
        for attempt in 1... {
            if flock(lock.descriptor, LOCK_EX | LOCK_NB) == 0 { return }
            guard linux_errno() == EWOULDBLOCK else {
                throw SpoolError("flock", path + "/lock")
            }
            guard attempt < SpoolFolder.lockAttemptCountMax else { throw .locked(path: path) }
            WorkerThread.pause(ms: SpoolFolder.lockPauseMs)
        }
    }

    private static let lockAttemptCountMax = 50
    private static let lockPauseMs = 10

    func names() throws(SpoolError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw SpoolError("opendir", path) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            names.append(name)
        }
        return names.sorted()
    }

    func open(_ name: String, flags: Int32) throws(SpoolError) -> SpoolFile {
        try SpoolFile(path + "/" + name, flags: flags)
    }

    func exists(_ name: String) -> Bool { unsafe access(path + "/" + name, F_OK) == 0 }

    func remove(_ name: String) throws(SpoolError) {
        guard unsafe unlink(path + "/" + name) == 0 || linux_errno() == ENOENT else {
            throw SpoolError("unlink", path + "/" + name)
        }
        try sync()
    }

    func rename(_ name: String, to newName: String) throws(SpoolError) {
        guard unsafe CLinux.rename(path + "/" + name, path + "/" + newName) == 0 else {
            throw SpoolError("rename", path + "/" + name)
        }
        try sync()
    }

    /// Replaces the file as a whole: after a crash there is the old or the new content.
    ///
    /// A full disk has no block for a second file, and would stay full for want of it: then the
    /// first one is written over. Its checksum tells what a crash leaves half written.
    func replace(_ name: String, with bytes: [UInt8]) throws(SpoolError) {
        do throws(SpoolError) {
            try replaceAsWhole(name, with: bytes)
        } catch {
            guard error.isForWantOfRoom, exists(name) else { throw error }
            let file = try open(name, flags: O_WRONLY)
            try file.write(bytes, at: 0, disk: .real)
            try file.sync(disk: .real)
        }
    }

    private func replaceAsWhole(_ name: String, with bytes: [UInt8]) throws(SpoolError) {
        let draftName = name + ".new"
        do {
            let draft = try open(draftName, flags: O_WRONLY | O_CREAT | O_TRUNC)
            try draft.write(bytes, at: 0, disk: .real)
            try draft.sync(disk: .real)
        }
        try rename(draftName, to: name)
    }

    /// Makes creations, renamings and removals last.
    func sync() throws(SpoolError) {
        guard fsync(folder.descriptor) == 0 else { throw SpoolError("fsync", path) }
    }
}

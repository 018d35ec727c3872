// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import COpenSSL

/// A file with keys or certificates in memory, wiped when it goes.
///
/// Ownership: sole owner. Thread: one. Blocks on the file: for start-up and reload only.
@safe
struct PEMFile: ~Copyable {
    private let subject: TLSFault.Subject
    private let path: String
    private let storage: UnsafeMutableRawBufferPointer
    private let count: Int
    /// Whether others than owner and group may read it.
    let isOpenToAll: Bool

    /// Lists of revoked certificates of large authorities have a few megabytes.
    private static let sizeBytesMax = 16 << 20

    init(_ subject: TLSFault.Subject, _ path: String) throws(TLSFault) {
        let descriptor = unsafe linux_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw PEMFile.unreadable(subject, path, linux_errno()) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw PEMFile.unreadable(subject, path, linux_errno())
        }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG),
            status.st_size <= PEMFile.sizeBytesMax
        else {
            throw TLSFault(
                subject, path, "this is no file of up to \(PEMFile.sizeBytesMax >> 20) MiB",
                remedy: "name a PEM file")
        }
        self.subject = subject
        self.path = path
        isOpenToAll = status.st_mode & 0o004 != 0
        unsafe storage = .allocate(byteCount: max(1, Int(status.st_size)), alignment: 8)
        count = unsafe PEMFile.fill(storage, from: descriptor)
    }

    deinit {
        unsafe OPENSSL_cleanse(storage.baseAddress, storage.count)
        unsafe storage.deallocate()
    }

    /// Reads objects of one kind until there are no more, or `body` returns false without an error
    /// of OpenSSL's.
    ///
    /// Throws where an object cannot be read: what comes behind it would be left out in silence.
    func forEachObject(_ body: (_ source: OpaquePointer) -> Bool) throws(TLSFault) {
        let failure = unsafe withSource { source -> OpenSSLErrors.Entry? in
            while unsafe body(source) {}
            return OpenSSLErrors.takeLast()
        }
        // The end of the file is an error to OpenSSL as well.
        guard let failure, !failure.isEndOfPEM else { return }
        throw TLSFault(
            subject, path, "OpenSSL does not take a part of it: \(failure.text)",
            remedy: "write the file anew, from the whole files that it was put together from")
    }

    /// Calls `body` with a reader of the file. No error of OpenSSL's is left over.
    func withSource<Result>(_ body: (_ source: OpaquePointer) -> Result) -> Result {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let source = unsafe BIO_new_mem_buf(storage.baseAddress, Int32(count)) else {
            preconditionFailure("OpenSSL has no memory")
        }
        defer { unsafe BIO_free(source) }
        return unsafe body(source)
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Int
    {
        var filledCount = 0
        while filledCount < buffer.count {
            let count = unsafe read(
                descriptor, buffer.baseAddress! + filledCount, buffer.count - filledCount)
            guard count > 0 else { break }
            filledCount += count
        }
        return filledCount
    }

    private static func unreadable(
        _ subject: TLSFault.Subject, _ path: String, _ code: Int32
    ) -> TLSFault {
        TLSFault(
            subject, path, "the file cannot be read: \(unsafe String(cString: strerror(code)))",
            remedy: "check the path, and that the account of the daemon may read it")
    }
}

/// What tells whether a file was changed or replaced, without reading it. Symbolic links are
/// followed, so that a link that is switched counts.
package struct FileStamp: Sendable, Equatable {
    private let parts: [Int]

    /// An absent file has a stamp as well.
    package init(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            parts = []
            return
        }
        parts = [
            Int(status.st_dev), Int(status.st_ino), Int(status.st_size),
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
            status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
        ]
    }
}

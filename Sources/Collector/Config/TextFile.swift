// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// Small text files, read as a whole.
package enum TextFile {
    /// Why a file could not be read.
    package struct Fault: Error, Equatable, CustomStringConvertible {
        /// Half a sentence, for example "No such file or directory".
        package let description: String
    }

    /// The content of the file at `path`, which must be valid UTF-8 of at most `sizeBytesMax`
    /// bytes.
    ///
    /// Blocks; for start-up and reload only.
    package static func read(_ path: String, sizeBytesMax: Int) throws(Fault) -> String {
        let descriptor = retrying { unsafe linux_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0) }
        guard descriptor >= 0 else { throw Fault(description: errorText(linux_errno())) }
        defer { close(descriptor) }
        let bytes = try readAll(descriptor, sizeBytesMax: sizeBytesMax)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Fault(description: "it is not UTF-8 text")
        }
        return text
    }

    /// The message of an errno value.
    package static func errorText(_ code: Int32) -> String {
        unsafe String(cString: strerror(code))
    }

    private static func readAll(_ descriptor: Int32, sizeBytesMax: Int) throws(Fault) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= sizeBytesMax {
            var chunk = [UInt8](repeating: 0, count: 16_384)
            let count = retrying { unsafe CLinux.read(descriptor, &chunk, chunk.count) }
            guard count >= 0 else { throw Fault(description: errorText(linux_errno())) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Fault(description: "it is larger than \(Quantity.text(bytes: sizeBytesMax))")
    }

    private static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || linux_errno() != EINTR { return result }
        }
    }
}

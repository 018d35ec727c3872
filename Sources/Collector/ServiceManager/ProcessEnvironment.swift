// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The environment variables of this process.
package enum ProcessEnvironment {
    /// All of them. Of two with one name the first counts, as for getenv.
    ///
    /// Thread: only while there is one thread: the C library's list has no lock.
    package static func all() -> [String: String] {
        var result: [String: String] = [:]
        guard var next = unsafe linux_environ() else { return result }
        while let pointer = unsafe next.pointee {
            let entry = unsafe String(cString: pointer)
            if let equals = entry.firstIndex(of: "=") {
                let name = String(entry[..<equals])
                if result[name] == nil {
                    result[name] = String(entry[entry.index(after: equals)...])
                }
            }
            unsafe next += 1
        }
        return result
    }

    /// Removes variables that are meant for this process and not for its children.
    ///
    /// Thread: as `all()`.
    package static func remove(_ names: [String]) {
        for name in names { unsafe unsetenv(name) }
    }
}

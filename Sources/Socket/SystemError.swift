// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// A system call that failed: which, on what, and the errno.
package struct SystemError: Error, CustomStringConvertible, Equatable {
    package let call: String
    package let subject: String
    package let code: Int32

    package init(_ call: String, _ subject: String = "", code: Int32 = linux_errno()) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    package var description: String {
        let reason = unsafe String(cString: strerror(code))
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }

    package var isAddressInUse: Bool { code == EADDRINUSE }
}

extension SystemError {
    /// The errno of a wait that was too long.
    package static let timedOut: Int32 = ETIMEDOUT
}

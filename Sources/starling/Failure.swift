// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Collector
internal import TLS

/// An error as the caller of the command sees it.
struct Failure {
    let exitCode: Int32
    let text: String

    // Of sysexits.h, which scripts and systemd units know.
    static let unavailable: Int32 = 69
    static let configuration: Int32 = 78
    static let other: Int32 = 1

    /// Nil for errors of the parser of arguments, which knows what to do with them.
    init?(_ error: any Error) {
        switch error {
        case let error as ConfigurationError:
            exitCode = Failure.configuration
            text = error.description
        case let error as EmbeddedError:
            exitCode = error.kind == .setup ? Failure.configuration : Failure.unavailable
            text = "starling: \(error)"
        case let error as DaemonError:
            exitCode = Failure.exitCode(error.code)
            text = "starling: \(error)"
        case let error as TLSFault:
            exitCode = Failure.configuration
            text = "starling: \(error.optionName) \(error)"
        default:
            return nil
        }
    }
}

extension Failure {
    private static func exitCode(_ code: DaemonError.Code) -> Int32 {
        switch code {
        case .databaseUnreachable, .daemonUnreachable: unavailable
        case .schemaNotCurrent, .cannotListen, .failed: other
        }
    }
}

/// Messages of the command itself; the daemon has its log.
enum StandardError {
    static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe CLinux.write(STDERR_FILENO, $0.baseAddress, $0.count)
            }
            guard count > 0 || linux_errno() == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }
}

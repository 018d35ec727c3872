// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging

/// PostgreSQL's messages: passed on to our log at the level that they have for us, and the last of
/// them kept, because they say why a start failed.
///
/// Thread: any.
final class ServerLog: @unchecked Sendable {
    private static let keptLineCountMax = 6
    private static let lineSizeBytesMax = 4_096

    private let logger: Logger
    private let monitor = Monitor()
    // Protected by the monitor.
    private var partial: [UInt8] = []
    private var kept: [String] = []
    private var level = Logger.Level.debug

    init(logger: Logger) { self.logger = logger }

    /// Takes what was read; lines may be cut anywhere.
    func append(_ bytes: ArraySlice<UInt8>) {
        monitor.withLock {
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    endLine()
                } else if partial.count < ServerLog.lineSizeBytesMax {
                    partial.append(byte)
                }
            }
        }
    }

    /// The last lines, oldest first.
    var lastLines: [String] { monitor.withLock { kept } }

    /// Forgets them: another start begins.
    func removeAll() { monitor.withLock { kept = [] } }

    private func endLine() {
        let line = String(decoding: partial, as: UTF8.self)
        partial.removeAll(keepingCapacity: true)
        guard !line.isEmpty else { return }
        if let own = ServerLog.level(line) { level = own }
        kept = kept.suffix(ServerLog.keptLineCountMax - 1) + [line]
        logger.log(level: level, "postgres: \(line)")
    }

    /// The level of a message; nil for a line that continues one (DETAIL, HINT, CONTEXT, …).
    static func level(_ line: String) -> Logger.Level? {
        // That is how a shutdown ends the sessions that are left.
        if line.hasSuffix("terminating connection due to administrator command") { return .debug }
        let word = line.prefix { $0.isASCII && $0.isLetter && $0.isUppercase }
        guard line[word.endIndex...].hasPrefix(":") else { return nil }
        return switch word {
        case "LOG", "INFO", "NOTICE": .debug
        case "WARNING", "ERROR": .warning
        // A connection that ends is fatal to the connection only.
        case "FATAL": .warning
        case "PANIC": .critical
        default: nil
        }
    }
}

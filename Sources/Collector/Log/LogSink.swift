// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
package import Logging
internal import Synchronization

/// Where the daemon's messages go: standard error, one write per message.
///
/// Thread: any. Blocks as long as standard error does.
package final class LogSink: Sendable {
    private let shape: LogLine.Shape
    private let levelIndex: Atomic<Int>
    private let descriptor: Int32

    /// - Parameters:
    ///   - log: Format and level.
    ///   - environment: JOURNAL_STREAM says whether `descriptor` is the journal.
    ///   - descriptor: What to write to; not owned.
    package init(
        _ log: Configuration.Log, environment: [String: String], descriptor: Int32 = STDERR_FILENO
    ) {
        self.descriptor = descriptor
        let isJournal = LogSink.isJournal(descriptor, environment["JOURNAL_STREAM"])
        shape = log.format == .json ? .json : (isJournal ? .journal : .text)
        levelIndex = Atomic(LogSink.index(log.level))
    }

    /// Takes a new level over. The format stays.
    package func adopt(_ log: Configuration.Log) {
        levelIndex.store(LogSink.index(log.level), ordering: .relaxed)
    }

    /// A logger that writes here, at this sink's level.
    package func logger(label: String = "starling") -> Logger {
        Logger(label: label) { _ in SinkLogHandler(sink: self) }
    }

    /// The least severe level that is written.
    package var level: Logger.Level {
        Logger.Level.allCases[levelIndex.load(ordering: .relaxed)]
    }

    func write(level: Logger.Level, message: String, metadata: Logger.Metadata) {
        let line = LogLine.render(
            shape, level: level, message: message, metadata: metadata, unixNs: Clock.unixNs)
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe CLinux.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 && linux_errno() == EINTR { continue }
            guard count > 0 else { return }  // nobody is there to be told
            rest = rest.dropFirst(count)
        }
    }

    private static func index(_ level: LogLevel) -> Int {
        Logger.Level.allCases.firstIndex { $0.rawValue == level.rawValue } ?? 0
    }

    /// `variable` is `device:inode` of the journal's stream; it is inherited, so it has to be
    /// compared.
    private static func isJournal(_ descriptor: Int32, _ variable: String?) -> Bool {
        var status = stat()
        guard let variable, unsafe fstat(descriptor, &status) == 0 else { return false }
        return variable == "\(status.st_dev):\(status.st_ino)"
    }
}

/// swift-log's view of a sink.
private struct SinkLogHandler: LogHandler {
    let sink: LogSink
    var metadata: Logger.Metadata = [:]
    /// Set on one logger only; nil follows the sink.
    private var ownLevel: Logger.Level?

    init(sink: LogSink) { self.sink = sink }

    var logLevel: Logger.Level {
        get { ownLevel ?? sink.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var merged = metadata.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { merged["error"] = "\(error)" }
        sink.write(level: event.level, message: event.message.description, metadata: merged)
    }
}

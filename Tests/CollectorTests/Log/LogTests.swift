// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Logging
import Testing

@testable import Collector

@Suite struct CivilTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000Z"),
            (1_767_225_599_001_000_000, "2025-12-31T23:59:59.001Z"),
            (1_767_225_600_000_999_999, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] as [(UInt64, String)])
    func text(unixNs: UInt64, expected: String) {
        #expect(CivilTime.text(unixNs: unixNs) == expected)
    }
}

@Suite struct LogLineTests {
    private let unixNs: UInt64 = 1_767_225_600_000_000_000

    private func render(
        _ shape: LogLine.Shape, _ message: String, _ metadata: Logger.Metadata = [:],
        level: Logger.Level = .info
    ) -> String {
        LogLine.render(shape, level: level, message: message, metadata: metadata, unixNs: unixNs)
    }

    @Test func textHasTimeLevelAndSortedFields() {
        #expect(
            render(.text, "ready", ["b": "2", "a": "with blank", "c": ""])
                == "2026-01-01T00:00:00.000Z info ready a=\"with blank\" b=2 c=\"\"\n")
    }

    @Test(
        arguments: [
            (.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3),
            (.critical, 2),
        ] as [(Logger.Level, Int)])
    func journalHasPriorityAndNoTime(level: Logger.Level, priority: Int) {
        #expect(render(.journal, "ready", level: level) == "<\(priority)>ready\n")
    }

    @Test(arguments: [LogLine.Shape.text, .journal, .json])
    func nothingForgesALine(shape: LogLine.Shape) {
        let evil = "a\nb\r<0>c\u{1b}[31m\u{7f}\u{85}"
        let line = render(shape, evil, ["k\n": "\(evil)"])
        #expect(line.hasSuffix("\n"))
        #expect(line.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7f })
    }

    @Test func jsonIsOneObject() {
        let metadata: Logger.Metadata = [
            "n": .stringConvertible(5), "yes": .stringConvertible(true), "list": ["a", "b"],
            "none": .array([]), "map": ["k": "v"], "level": "mine", "quote": "\"\\ü",
            "empty": .dictionary([:]), "other": .stringConvertible(1.5),
        ]
        #expect(
            render(.json, "ready\t", metadata, level: .warning)
                == #"{"time":"2026-01-01T00:00:00.000Z","level":"warning","message":"ready\u0009","#
                + #""empty":{},"level_":"mine","list":["a","b"],"map":{"k":"v"},"n":5,"none":[],"#
                + #""other":"1.5","quote":"\"\\ü","yes":true}"# + "\n")
    }
}

@Suite struct LogSinkTests {
    /// What `body` logs, as the other end of a socket reads it.
    private func output(
        _ log: Configuration.Log, isJournal: Bool = false, _ body: (LogSink) -> Void
    ) throws -> [String] {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0)
        defer { for end in ends { _ = close(end) } }
        var status = stat()
        try #require(unsafe fstat(ends[0], &status) == 0)
        let inode = isJournal ? status.st_ino : 1
        let environment = ["JOURNAL_STREAM": "\(status.st_dev):\(inode)"]
        body(LogSink(log, environment: environment, descriptor: ends[0]))
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(ends[1], &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    private func log(_ overrides: String...) throws -> Configuration.Log {
        try ConfigurationSources(overrides: overrides).load().configuration.log
    }

    @Test func levelIsTheSinksAndCanBeReloaded() throws {
        let quiet = try log("log.level=warning")
        let loud = try log("log.level=debug")
        let lines = try output(quiet, isJournal: true) { sink in
            let logger = sink.logger()
            logger.info("not this")
            logger.warning("this")
            sink.adopt(loud)
            logger.debug("and this")
            logger.trace("not this either")
        }
        #expect(lines == ["<4>this", "<7>and this"])
    }

    @Test func journalIsRecognisedByItsInode() throws {
        let lines = try output(try log()) { $0.logger().info("hello") }
        #expect(lines.count == 1)
        #expect(lines[0].hasSuffix("Z info hello"))
    }

    @Test func metadataOfLoggerAndMessageAreMerged() throws {
        let lines = try output(try log(), isJournal: true) { sink in
            var logger = sink.logger()
            logger[metadataKey: "a"] = "1"
            logger[metadataKey: "b"] = "1"
            logger.info("hello", metadata: ["b": "2"])
        }
        #expect(lines == ["<6>hello a=1 b=2"])
    }

    @Test func jsonEvenUnderTheJournal() throws {
        let lines = try output(try log("log.format=json"), isJournal: true) {
            $0.logger().info("hello")
        }
        #expect(lines.count == 1 && lines[0].hasPrefix("{\"time\":"))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

@Suite struct ServerSettingsTests {
    private func settings(
        memoryMebibytes: Int = 8_192, freeDiskMebibytes: Int = 100_000, processorCount: Int = 4,
        socketFolder: String = "/var/lib/starling/run", hasLZ4: Bool = true
    ) -> [String: String] {
        let settings = ServerSettings(
            memorySizeBytes: memoryMebibytes << 20, freeDiskSizeBytes: freeDiskMebibytes << 20,
            processorCount: processorCount, connectionCount: 4, socketFolder: socketFolder,
            dataFolder: "/var/lib/starling/data",
            localFile: "/var/lib/starling/postgresql.local.conf", hasLZ4: hasLZ4)
        var values: [String: String] = [:]
        for line in settings.text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let equals = line.firstRange(of: " = ") else { continue }
            let name = String(line[..<equals.lowerBound])
            #expect(values[name] == nil, "\(name) is there twice")
            values[name] = String(line[equals.upperBound...])
        }
        return values
    }

    // What the daemon promises must not depend on anybody's default.
    @Test func promiseIsSpelledOut() {
        let values = settings()
        for name in ["fsync", "synchronous_commit", "full_page_writes"] {
            #expect(values[name] == "on")
        }
    }

    @Test func onlyTheSocketIsOpen() {
        let values = settings()
        #expect(values["listen_addresses"] == "''")
        #expect(values["unix_socket_directories"] == "'/var/lib/starling/run'")
        #expect(values["unix_socket_permissions"] == "0700")
        #expect(values["data_directory"] == "'/var/lib/starling/data'")
        #expect(values["include"] == "'/var/lib/starling/postgresql.local.conf'")
        #expect(values["max_connections"] == "34")
    }

    @Test(arguments: [
        (256, "64MB", "128MB"), (8_192, "1024MB", "4096MB"), (1_048_576, "2048MB", "524288MB"),
    ])
    func memoryFollowsTheMachine(mebibytes: Int, buffers: String, cache: String) {
        let values = settings(memoryMebibytes: mebibytes)
        #expect(values["shared_buffers"] == buffers)
        #expect(values["effective_cache_size"] == cache)
    }

    // The log must not fill a small disk, nor be cut short on a large one.
    @Test(arguments: [
        (0, "256MB", "80MB"), (16_384, "1024MB", "128MB"), (1_048_576, "8192MB", "1024MB"),
    ])
    func logFollowsTheDisk(freeMebibytes: Int, most: String, least: String) {
        let values = settings(freeDiskMebibytes: freeMebibytes)
        #expect(values["max_wal_size"] == most)
        #expect(values["min_wal_size"] == least)
    }

    @Test func compressionIsWhatTheBuildHas() {
        #expect(settings(hasLZ4: true)["wal_compression"] == "lz4")
        #expect(settings(hasLZ4: false)["wal_compression"] == "on")
    }

    @Test(arguments: [(1, "1"), (2, "1"), (4, "2"), (64, "3")])
    func housekeepingLeavesProcessors(processorCount: Int, workers: String) {
        #expect(settings(processorCount: processorCount)["autovacuum_max_workers"] == workers)
    }

    @Test func namesAreQuoted() {
        let values = settings(socketFolder: "/tmp/it's \\ here")
        #expect(values["unix_socket_directories"] == "'/tmp/it''s \\\\ here'")
    }

    @Test func everySettingSaysWhy() {
        let settings = ServerSettings(
            memorySizeBytes: 1 << 30, freeDiskSizeBytes: 1 << 30, processorCount: 2,
            connectionCount: 2, socketFolder: "/s", dataFolder: "/d", localFile: "/l", hasLZ4: true)
        let lines = settings.text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated()
        where line.contains(" = ") && !line.hasPrefix("include") {
            #expect(lines[index - 1].hasPrefix("# "), "\(line)")
        }
    }
}

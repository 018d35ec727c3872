// SPDX-License-Identifier: Apache-2.0

/// The settings of the embedded PostgreSQL, written anew at each start.
///
/// Whoever wants others puts them into `postgresql.local.conf` beside it, or uses ALTER SYSTEM.
struct ServerSettings {
    let memorySizeBytes: Int
    let freeDiskSizeBytes: Int
    let processorCount: Int
    /// Connections that the daemon itself holds.
    let connectionCount: Int
    let socketFolder: String
    let dataFolder: String
    /// An absolute path.
    let localFile: String
    /// Whether this build of PostgreSQL can compress with LZ4.
    let hasLZ4: Bool

    private static let mebibyte = 1 << 20

    /// One setting: name, value as in the file, and why it is not PostgreSQL's default.
    private typealias Setting = (name: String, value: String, why: String)

    /// What the file for the operator's own settings says at first.
    static let localText = """
        # Your settings for Starling's embedded PostgreSQL: read last, and never written again.

        """

    /// The text of postgresql.conf.
    var text: String {
        let sections: [(String, [Setting])] = [
            ("Where", whereSettings), ("Memory", memorySettings), ("Write-ahead log", walSettings),
            ("Housekeeping", vacuumSettings), ("Queries", querySettings), ("Messages", logSettings),
        ]
        var text = """
            # The settings of Starling's embedded PostgreSQL, written anew at each start.
            # Yours go into \(localFile),
            # which is read last, or are set with ALTER SYSTEM.

            """
        for (title, settings) in sections {
            text += "\n# --- \(title) ---\n"
            for setting in settings {
                text += "\n# \(setting.why)\n\(setting.name) = \(setting.value)\n"
            }
        }
        return text + "\n# --- Yours ---\n\ninclude = \(quoted(localFile))\n"
    }

    private var whereSettings: [Setting] {
        [
            ("data_directory", quoted(dataFolder), "Data and this file are apart."),
            ("listen_addresses", "''", "No network: everything goes through the socket."),
            (
                "unix_socket_directories", quoted(socketFolder),
                "A folder that only the account of the server may enter."
            ),
            ("unix_socket_permissions", "0700", "That account only, a second time."),
            (
                "max_connections", "\(connectionCount + 30)",
                "The daemon's own, and room for psql, dashboards and backups."
            ),
            ("cluster_name", "'starling'", "So that `ps` tells whose processes these are."),
        ]
    }

    private var memorySettings: [Setting] {
        let mebibytes = memorySizeBytes / ServerSettings.mebibyte
        return [
            (
                "shared_buffers", "\(clamped(mebibytes / 8, 64, 2_048))MB",
                "Holds what is written to: dimensions, and the newest pages of tables and indexes."
            ),
            (
                "effective_cache_size", "\(max(128, mebibytes / 2))MB",
                "What the kernel is likely to keep of the files; a hint for the planner."
            ),
            (
                "maintenance_work_mem", "\(clamped(mebibytes / 32, 64, 512))MB",
                "Index builds on partitions that are closed."
            ),
            (
                "work_mem", "16MB",
                "Sorts and joins of few, large queries rather than many small "
                    + "ones."
            ),
            (
                "max_locks_per_transaction", "256",
                "A query over all partitions locks each of them and each of their indexes."
            ),
        ]
    }

    private var walSettings: [Setting] {
        let freeMebibytes = freeDiskSizeBytes / ServerSettings.mebibyte
        let walMebibytes = clamped(freeMebibytes / 16, 256, 8_192)
        return [
            (
                "fsync", "on",
                "The promise: acknowledged means committed, and committed means on "
                    + "disk."
            ),
            ("synchronous_commit", "on", "The promise: the answer to a client waits for the disk."),
            ("full_page_writes", "on", "The promise, across a loss of power."),
            (
                "commit_delay", "0",
                "The daemon gathers what waits into one transaction; a second delay would only "
                    + "wait."
            ),
            (
                "wal_level", "minimal",
                "Nobody replicates from here; index builds and new tables skip the log."
            ),
            ("max_wal_senders", "0", "Goes with it."),
            ("max_logical_replication_workers", "0", "As above; it would cost a process."),
            (
                "wal_compression", hasLZ4 ? "lz4" : "on",
                "Page images after a checkpoint are most of the log, and shrink to a fraction."
            ),
            (
                "wal_buffers", "16MB",
                "One segment: a large batch does not wait for the log in the middle."
            ),
            (
                "max_wal_size", "\(walMebibytes)MB",
                "Checkpoints by time, not by size: each one makes page images of everything anew."
            ),
            (
                "min_wal_size", "\(max(80, walMebibytes / 8))MB",
                "Segments are used again instead of made anew."
            ),
            (
                "checkpoint_timeout", "15min",
                "As above. The price is a recovery of up to some minutes after a crash."
            ),
            ("checkpoint_completion_target", "0.9", "Written out evenly, not in bursts."),
        ]
    }

    private var vacuumSettings: [Setting] {
        [
            (
                "autovacuum_vacuum_insert_threshold", "1000000",
                "Rows are only inserted: vacuuming young partitions again and again finds nothing."
            ),
            (
                "autovacuum_vacuum_insert_scale_factor", "0.4",
                "As above; what has stopped growing is still vacuumed, for index-only scans."
            ),
            (
                "autovacuum_analyze_threshold", "10000",
                "Statistics of a new partition after its first rows, not after every 50."
            ),
            (
                "autovacuum_max_workers", "\(clamped(processorCount / 2, 1, 3))",
                "Housekeeping leaves processors to the writers."
            ),
        ]
    }

    private var querySettings: [Setting] {
        [
            ("jit", "off", "Compiling a query over many partitions costs more than running it."),
            ("random_page_cost", "1.1", "Solid state disks: an index look-up costs little more."),
            ("timezone", "'UTC'", "Times are stored in UTC; so they are shown."),
            ("datestyle", "'iso, ymd'", "No dates that mean two days."),
            ("lc_messages", "'C'", "Messages that can be searched for."),
            (
                "default_text_search_config", "'pg_catalog.simple'",
                "Words of programs are of no one language."
            ),
        ]
    }

    private var logSettings: [Setting] {
        [
            ("log_destination", "'stderr'", "The daemon reads it and puts it into its own log."),
            ("logging_collector", "off", "As above: no second log, no files that grow."),
            ("log_timezone", "'UTC'", "As the daemon's."),
            ("log_min_messages", "warning", "What needs a person."),
            ("log_checkpoints", "off", "As above."),
            ("log_min_error_statement", "panic", "Statements carry what users stored."),
        ]
    }

    private func clamped(_ value: Int, _ least: Int, _ most: Int) -> Int {
        min(most, max(least, value))
    }

    /// In single quotes, which are doubled; PostgreSQL reads backslashes in these as escapes.
    private func quoted(_ text: String) -> String {
        var output = "'"
        for character in text {
            if character == "'" || character == "\\" { output.append(character) }
            output.append(character)
        }
        return output + "'"
    }
}

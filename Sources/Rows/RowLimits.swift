// SPDX-License-Identifier: Apache-2.0

/// Bounds of what one `RowBuilder` keeps, and of what it lets into the dictionaries of the
/// database.
package struct RowLimits: Sendable {
    /// Bound of one cache of dimension ids.
    package struct Cache: Sendable {
        /// Entries. 2 or more.
        package var entryCountMax: Int
        /// Bytes of the keys of all entries.
        package var keySizeBytesMax: Int

        package init(entryCountMax: Int, keySizeBytesMax: Int) {
            precondition(entryCountMax >= 2 && keySizeBytesMax >= 2)
            self.entryCountMax = entryCountMax
            self.keySizeBytesMax = keySizeBytesMax
        }

        /// Bytes of memory that the cache may come to take: keys, entries, and slots of the hash
        /// tables, of which each is up to twice as large as what is in it.
        var sizeBytesMax: Int { keySizeBytesMax + entryCountMax * ByteKeyTable.entrySizeBytesMax }
    }

    package var resources = Cache(entryCountMax: 4_096, keySizeBytesMax: 4 << 20)
    package var scopes = Cache(entryCountMax: 4_096, keySizeBytesMax: 1 << 20)
    package var operations = Cache(entryCountMax: 32_768, keySizeBytesMax: 4 << 20)
    package var metrics = Cache(entryCountMax: 16_384, keySizeBytesMax: 4 << 20)
    package var bounds = Cache(entryCountMax: 4_096, keySizeBytesMax: 1 << 20)
    package var series = Cache(entryCountMax: 131_072, keySizeBytesMax: 16 << 20)

    /// Longest span name that becomes an operation, bytes. Longer ones stand on the span row.
    package var operationNameSizeBytesMax = 256
    /// Operations in the database above which no more are added, 0 or more.
    package var operationCountMax = 100_000
    /// Dimensions that may be missing at once, all tables together: bounds the memory of a flood of
    /// new ones. More are resolved in several rounds.
    package var missingCountMax = 8_192

    package init() {}

    /// Bytes that the caches of one `RowBuilder` may come to take, full of the longest keys.
    package var cacheSizeBytesMax: Int {
        [resources, scopes, operations, metrics, bounds, series].reduce(0) { $0 + $1.sizeBytesMax }
    }
}

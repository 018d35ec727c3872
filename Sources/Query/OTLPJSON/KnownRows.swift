// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// What has been read of a table, by its id, while more and more of it is wanted.
extension Dictionary where Key == Int64 {
    /// As many are kept.
    private static var keptCountMax: Int { 10_000 }

    /// The ids in `column` of `rows` that are not known yet, ascending, each once; none for NULL.
    /// Where there are many, all that were known are forgotten before.
    mutating func makeRoom(forIDsOf rows: borrowing QueryResult, column: Int) -> [Int64] {
        if count > Self.keptCountMax { self = [:] }
        var wanted: Set<Int64> = []
        for row in 0..<rows.rowCount {
            if let id = rows.integer(row: row, column: column), self[id] == nil {
                wanted.insert(id)
            }
        }
        return wanted.sorted()
    }
}

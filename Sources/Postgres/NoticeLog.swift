// SPDX-License-Identifier: Apache-2.0

/// What the server said beside its answers on one connection: the newest few, and how many there
/// were.
///
/// libpq would print them on stderr. Thread: that of the connection.
final class NoticeLog {
    private static let keptCountMax = 8
    private(set) var totalCount = 0
    private(set) var newest: [DatabaseNotice] = []

    func append(_ notice: DatabaseNotice) {
        totalCount += 1
        if newest.count == NoticeLog.keptCountMax { newest.removeFirst() }
        newest.append(notice)
    }
}

/// One NOTICE or WARNING of the server.
package struct DatabaseNotice: Sendable, Equatable {
    package let sqlState: String
    /// The primary message, cut as in `DatabaseError`.
    package let message: String
}

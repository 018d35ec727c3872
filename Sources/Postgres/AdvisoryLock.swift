// SPDX-License-Identifier: Apache-2.0

/// Everything that one session at a time does, in whichever daemon. One list, so that no two uses
/// have the same number.
enum AdvisoryLock: Int32 {
    case partitions = 1
    case migrations = 2
    case retention = 3
    case closing = 4
    case views = 10
    case attributeColumns = 11

    /// The first half of every key of ours.
    static let group: Int32 = 0x5374_6172  // "Star"

    /// The arguments of PostgreSQL's functions.
    var key: String { "(\(AdvisoryLock.group), \(rawValue))" }
}

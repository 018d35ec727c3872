// SPDX-License-Identifier: Apache-2.0

/// What tails have cost so far, and what came of it.
package struct TailFigures: Sendable, Equatable {
    /// Tails that are open.
    package internal(set) var openCount = 0
    /// Rows that were handed to connections, once for each tail.
    package internal(set) var deliveredCount = 0
    /// Rows that were counted instead, once for each tail.
    package internal(set) var skippedCount = 0
    /// Looks for what is new; one statement each, and for each of `readCount` three more.
    package internal(set) var lookCount = 0
    /// Questions for which rows were read.
    package internal(set) var readCount = 0

    package init() {}
}

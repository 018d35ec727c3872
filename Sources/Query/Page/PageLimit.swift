// SPDX-License-Identifier: Apache-2.0

/// How many elements a page may have.
package struct PageLimit: Sendable, Equatable {
    package static let countDefault = 100
    package static let countMax = 1_000

    package let count: Int
    /// Says that more were asked for than there may be; nil otherwise.
    package let warning: String?

    /// What was asked for, which may be nothing, and too much. Errors: `invalidParameter` below 1.
    package init(_ asked: Int64?, pointer: String = "limit") throws(QueryFailure) {
        let asked = asked ?? Int64(PageLimit.countDefault)
        guard asked >= 1 else {
            throw QueryFailure(
                .invalidParameter, "limit is \(asked), and has to be 1 at least", pointer: pointer)
        }
        count = Int(min(asked, Int64(PageLimit.countMax)))
        warning =
            asked > count ? "limit is \(asked), and no page has more than \(count)" : nil
    }
}

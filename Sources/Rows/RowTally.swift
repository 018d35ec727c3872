// SPDX-License-Identifier: Apache-2.0
package import Decode

/// What became of the items of one export.
package struct RowTally: Equatable, Sendable {
    /// Items that became rows.
    package private(set) var rowCount = 0
    /// Items that never can be rows.
    package private(set) var rejectedItemCount = 0
    /// Why the first of those was rejected.
    package private(set) var firstFault: ItemFault?

    package init() {}

    mutating func accept() { rowCount += 1 }

    mutating func reject(_ fault: ItemFault) {
        rejectedItemCount += 1
        if firstFault == nil { firstFault = fault }
    }
}

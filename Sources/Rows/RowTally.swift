// SPDX-License-Identifier: Apache-2.0
package import Decode

/// What became of the items of one export.
package struct RowTally: Equatable, Sendable {
    /// An item that never can be a row.
    package struct Rejection: Equatable, Sendable {
        /// The item in its export.
        package let itemOrdinal: UInt32
        package let fault: ItemFault
    }

    /// Items that became rows.
    package private(set) var rowCount = 0
    /// Items that never can be rows, by rising ordinal. At most `Limits.itemCountMax`, 8 bytes
    /// each; whoever keeps the tally charges them.
    package private(set) var rejections: [Rejection] = []

    package var rejectedItemCount: Int { rejections.count }
    /// Why the first of those was rejected.
    package var firstFault: ItemFault? { rejections.first?.fault }
    /// Memory that the tally holds beside itself.
    package var heldSizeBytes: Int { rejections.capacity * MemoryLayout<Rejection>.stride }

    package init() {}

    mutating func accept() { rowCount += 1 }

    mutating func reject(_ fault: ItemFault, itemOrdinal: Int) {
        rejections.append(
            Rejection(itemOrdinal: UInt32(truncatingIfNeeded: itemOrdinal), fault: fault))
    }
}

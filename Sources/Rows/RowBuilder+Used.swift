// SPDX-License-Identifier: Apache-2.0

/// The dimensions of which it is kept when they were seen last.
package enum UsedDimension: Sendable { case resource, scope, metric }

extension RowBuilder {
    /// Gives the id of each resource, scope and metric of the batch to `note`, in runs without
    /// repeats; the same id may come again later. After everything missing was learned.
    ///
    /// Cost: a comparison per resource, scope and metric, not per item.
    package borrowing func forEachUsed(_ note: (UsedDimension, Int64) -> Void) {
        forEachID(in: refs.resources) { note(.resource, $0) }
        forEachID(in: refs.scopes) { note(.scope, $0) }
        forEachID(in: refs.metrics) { note(.metric, $0) }
    }

    private borrowing func forEachID(
        in level: borrowing BatchRefs.Level, _ note: (Int64) -> Void
    ) {
        var last: Int64?
        for index in 0..<level.count {
            guard let id = level[index].id, id != last else { continue }
            note(id)
            last = id
        }
    }
}

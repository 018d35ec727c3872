// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Rows

/// Attributes that are not where one may look for them first.
package struct AttributeCounts: Sendable, Equatable {
    /// Not stored, by configuration.
    package var dropped = 0
    /// In `attributes`, because their column is for another type.
    package var otherType = 0

    package init(dropped: Int = 0, otherType: Int = 0) {
        self.dropped = dropped
        self.otherType = otherType
    }
}

/// Sorts the attributes of one row after the other into columns, `attributes`, and nothing.
///
/// Of the columns that a table has for attributes, a batch fills a few. Each that COPY names costs
/// the server 12 ns a row even where it is NULL (PostgreSQL 15: 4.3 µs a row with 110 columns
/// listed, 3.1 µs with the 8 that had values), and the wire 4 bytes. So only columns are listed
/// that were wanted before: a row that wants another one makes `isWideningNeeded` true, and the
/// batch is encoded again after `widen()`. That happens once per column until it is forgotten.
///
/// Ownership: sole owner of its scratch space. Thread: confined to one. No allocation per row.
@safe
struct AttributeSorter: ~Copyable {
    /// Position of a column that is not listed.
    private static let unlisted: Int16 = -1
    /// Batches after which columns are forgotten that none of them wanted.
    private static let batchesPerReview = 1_024

    let plan: AttributePlan
    /// Those of the plan, at hand.
    private let index: AttributeKeyIndex
    private let entries: UnsafeMutableBufferPointer<AttributePlan.Entry>
    /// Whether every attribute goes into `attributes`.
    let isTrivial: Bool
    /// The columns that COPY names, as positions in `plan.columns`, ascending.
    private(set) var listed: [Int] = []
    /// How many those are.
    private(set) var listedCount = 0
    /// Set when `listed` changes; whoever makes the layout from it resets it.
    var hasListChanged = false
    /// Position among the listed ones, by position in `plan.columns`.
    private let listedPositions: UnsafeMutableBufferPointer<Int16>
    /// Whether a row wanted the column since the last review.
    private let areWanted: UnsafeMutableBufferPointer<Bool>
    /// What to write into each listed column; empty for NULL.
    private let values: UnsafeMutableBufferPointer<AnyValueKind>
    /// The last attribute of this row with each name that is known.
    private let taken: UnsafeMutableBufferPointer<KeyValueView?>
    /// The names that occur in this row.
    private let touched: UnsafeMutableBufferPointer<Int32>
    private var touchedCount = 0
    private var batchCount = 0

    /// Whether a row wanted a column that is not listed.
    private(set) var isWideningNeeded = false
    /// Since the last `removeAll`.
    var counts = AttributeCounts()

    init(plan: AttributePlan) {
        self.plan = plan
        index = plan.index
        isTrivial = plan.isTrivial
        unsafe entries = .allocate(capacity: plan.entries.count)
        _ = unsafe entries.initialize(from: plan.entries)
        unsafe listedPositions = .allocate(capacity: plan.columns.count)
        unsafe listedPositions.initialize(repeating: AttributeSorter.unlisted)
        unsafe areWanted = .allocate(capacity: plan.columns.count)
        unsafe areWanted.initialize(repeating: false)
        unsafe values = .allocate(capacity: plan.columns.count)
        unsafe values.initialize(repeating: .none)
        unsafe taken = .allocate(capacity: plan.entries.count)
        unsafe taken.initialize(repeating: nil)
        unsafe touched = .allocate(capacity: plan.entries.count)
        unsafe touched.initialize(repeating: 0)
    }

    deinit {
        unsafe entries.deallocate()
        unsafe listedPositions.deallocate()
        unsafe areWanted.deallocate()
        unsafe values.deallocate()
        unsafe taken.deallocate()
        unsafe touched.deallocate()
    }

    var layoutColumns: [PromotedColumn] { listed.map { plan.columns[$0] } }
}

// One row.
extension AttributeSorter {
    /// Forgets the row before.
    @inline(__always)
    mutating func beginRow() {
        for index in 0..<touchedCount {
            unsafe taken[Int(touched[index])] = nil
        }
        touchedCount = 0
        guard listedCount > 0 else { return }
        unsafe values.baseAddress.unsafelyUnwrapped.update(repeating: .none, count: listedCount)
    }

    /// Takes an attribute of the row if its name is known; false where it belongs into
    /// `attributes`. A later one with the same name takes its place.
    @inline(__always)
    mutating func take(_ attribute: KeyValueView, key: ByteSlice) -> Bool {
        guard let entry = index.find(key) else { return false }
        if unsafe entries[entry].isDropped {
            counts.dropped += 1
            return true
        }
        if unsafe taken[entry] == nil {
            unsafe touched[touchedCount] = Int32(entry)
            touchedCount += 1
        }
        unsafe taken[entry] = attribute
        return true
    }

    /// Names of which attributes were taken, each once.
    var takenCount: Int { touchedCount }

    /// Puts the last attribute of the name number `index` among the taken ones into its column.
    /// Returns it where it has none, so that it belongs into `attributes`.
    @inline(__always)
    mutating func settle(_ index: Int) -> KeyValueView? {
        let entry = unsafe Int(touched[index])
        guard let attribute = unsafe taken[entry] else { return nil }
        let kind = attribute.value?.kind ?? .none
        let column = unsafe Int(entries[entry].column(for: kind))
        guard column >= 0 else {
            counts.otherType += 1
            return attribute
        }
        unsafe areWanted[column] = true
        let listedPosition = unsafe Int(listedPositions[column])
        guard listedPosition >= 0 else {
            isWideningNeeded = true
            return nil
        }
        unsafe values[listedPosition] = kind
        return nil
    }

    /// What stands in the listed column number `index`.
    @inline(__always)
    func value(at index: Int) -> AnyValueKind {
        precondition(index >= 0 && index < listedCount)
        return unsafe values[index]
    }
}

// From batch to batch.
extension AttributeSorter {
    /// Lists what rows wanted in vain; the rows so far have to be encoded again.
    mutating func widen() {
        list { areWanted, isListed in areWanted || isListed }
        isWideningNeeded = false
    }

    /// Ready for the next batch, or for the same one again.
    mutating func removeAll() {
        counts = AttributeCounts()
        isWideningNeeded = false
        batchCount += 1
        guard batchCount == AttributeSorter.batchesPerReview else { return }
        batchCount = 0
        list { areWanted, _ in areWanted }
        unsafe areWanted.update(repeating: false)
    }

    private mutating func list(_ isListed: (_ isWanted: Bool, _ isListed: Bool) -> Bool) {
        hasListChanged = true
        listed.removeAll(keepingCapacity: true)
        for column in plan.columns.indices {
            let wasListed = unsafe listedPositions[column] != AttributeSorter.unlisted
            guard unsafe isListed(areWanted[column], wasListed) else {
                unsafe listedPositions[column] = AttributeSorter.unlisted
                continue
            }
            unsafe listedPositions[column] = Int16(listed.count)
            listed.append(column)
        }
        listedCount = listed.count
    }
}

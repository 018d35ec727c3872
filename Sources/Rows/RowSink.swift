// SPDX-License-Identifier: Apache-2.0

/// Takes the rows of a batch, one after the other.
///
/// Each call returns false, leaving the sink as it was, when the memory budget is spent.
/// `itemOrdinal` is the ordinal of the item in its export: rows can be led back to what they came
/// from.
package protocol RowSink: ~Copyable {
    mutating func append(_ row: borrowing SpanRow, itemOrdinal: Int) -> Bool
    mutating func append(_ row: borrowing LogRow, itemOrdinal: Int) -> Bool
    mutating func append(_ row: borrowing NumberPointRow, itemOrdinal: Int) -> Bool
    mutating func append(_ row: borrowing HistogramPointRow, itemOrdinal: Int) -> Bool
    mutating func append(_ row: borrowing ExponentialHistogramPointRow, itemOrdinal: Int) -> Bool
    mutating func append(_ row: borrowing SummaryPointRow, itemOrdinal: Int) -> Bool
}

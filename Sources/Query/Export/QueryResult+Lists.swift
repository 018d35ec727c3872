// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// Fields that are lists, or that have the bits of unsigned numbers.
extension QueryResult {
    /// A uint64, of which the column has the bits; 0 for NULL.
    func count(_ row: Int, _ column: Int) -> UInt64 {
        UInt64(bitPattern: integer(row: row, column: column) ?? 0)
    }

    /// Of type bigint[], each with the bits of a uint64; nil for NULL.
    func counts(_ row: Int, _ column: Int) -> [UInt64]? { elements(row, column) }

    /// Of type float8[]; nil for NULL.
    func doubles(_ row: Int, _ column: Int) -> [Double]? {
        elements(row, column)?.map { Double(bitPattern: $0) }
    }

    /// The 8 bytes of each element of an array of one dimension without NULLs (array_send in
    /// PostgreSQL's arrayfuncs.c): number of dimensions, whether there are NULLs, type; count and
    /// first index of each dimension; length and bytes of each element.
    private func elements(_ row: Int, _ column: Int) -> [UInt64]? {
        guard let array = field(row, column) else { return nil }
        guard array.bigEndian(at: 0, as: Int32.self) > 0 else { return [] }
        let count = Int(array.bigEndian(at: 12, as: Int32.self))
        let (head, stride) = (20, 12)
        precondition(array.count == head + count * stride, "not a list of 64 bits each")
        return (0..<count).map { index in
            array.bigEndian(at: head + index * stride + 4, as: UInt64.self)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// Rows of one dimension table on their way to the database, column by column.
///
/// `statement` inserts what was appended, in that order, leaves out hashes that exist, and returns
/// hash and id of what was inserted.
protocol DimensionRows {
    associatedtype Content

    /// `otel_resources_dim`
    static var table: String { get }
    /// `resource_id`
    static var idColumn: String { get }
    /// `resource_hash`
    static var hashColumn: String { get }
    /// What stands between `INSERT INTO table` and `ON CONFLICT`.
    static var columnsAndSource: String { get }
    /// Where the attributes go: `otel_resource_attrs`; nil where there are none.
    static var attributePrefix: String? { get }
    /// Of `idColumn`.
    static var idType: ParameterType { get }

    init()
    mutating func append(_ entry: MissingList<Content>.Entry) throws(DatabaseError)
    /// What was appended: the parameters of `columnsAndSource`.
    var columns: [ArrayParameter] { get }
    static func attributes(of content: Content) -> EffectiveAttributes?
}

extension DimensionRows {
    static var attributePrefix: String? { nil }
    static var idType: ParameterType { .int4 }
    static func attributes(of content: Content) -> EffectiveAttributes? { nil }

    var sizeBytes: Int { columns.reduce(0) { $0 + $1.sizeBytes } }

    static var insertStatement: String {
        """
        INSERT INTO \(table) \(columnsAndSource)
        ON CONFLICT (\(hashColumn)) DO NOTHING RETURNING \(hashColumn), \(idColumn)
        """
    }

    static var selectStatement: String {
        "SELECT \(hashColumn), \(idColumn) FROM \(table) WHERE \(hashColumn) = ANY ($1::bytea[])"
    }
}

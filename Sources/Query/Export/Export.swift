// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// All spans, log records or metric points that pass a filter, oldest first: as they are stored,
/// each row once.
///
/// Read by cursors in one transaction, so that what arrives meanwhile does not show, and what is
/// held does not depend on how much there is.
package struct Export: Sendable {
    private let question: ExportQuestion
    private let format: ExportFormat
    /// Whether it is packed with gzip.
    package let isPacked: Bool

    package init(_ question: ExportQuestion, as format: ExportFormat, isPacked: Bool) {
        self.question = question
        self.format = format
        self.isPacked = isPacked
    }

    /// Writes them. Errors: `rangeTooWide`, `invalidFilter`, `notFound` of a metric,
    /// `queryTimeout`, `cancelled`, those of the database.
    package func write(
        from session: inout ReadSession, to stream: ChunkStream
    ) throws(QueryFailure) {
        let range = try question.asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        try session.withSnapshot { (session) throws(QueryFailure) in
            let catalogue = try session.newFieldCatalogue()
            let packer = isPacked ? GzipPacker(.fast) : nil
            guard packer != nil || !isPacked else { throw ExportLimits.noMemory }
            var run = ExportRun(format, packer, countMax: question.countMax, to: stream)
            switch question.items {
            case .spans:
                try write(SpanExport(format, catalogue), in: range, from: &session, by: &run)
            case .logs:
                try write(LogExport(format, catalogue), in: range, from: &session, by: &run)
            case .metrics:
                if let metric = question.metric {
                    _ = try MetricIdentity.find(metric, type: nil, in: &session)
                }
                var points = PointsExport(
                    try MatchedPoints(question.filter, from: &session))
                try points.write(in: range, from: &session, by: &run)
            }
            try run.finish()
        }
    }

    private func write<Item: ItemExport>(
        _ item: Item, in range: TimeRange, from session: inout ReadSession,
        by run: inout ExportRun
    ) throws(QueryFailure) {
        let facts = try MatchedFacts(
            question.filter, of: question.items.subject, from: &session)
        var items = ExportedItems(item)
        run.begin(Item.names)
        for partition in try FactPartition.all(of: facts.table, in: range, from: &session)
        where !run.isDone {
            var statement = facts.statement
            let conditions = [facts.condition, facts.isIn(partition.range, in: &statement)]
            statement.text = """
                SELECT \(item.columns.joined(separator: ", "))
                FROM \(facts.source(of: partition.name))
                WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(Item.order)
                """
            try run.copy(statement, of: &items, from: &session)
        }
    }
}

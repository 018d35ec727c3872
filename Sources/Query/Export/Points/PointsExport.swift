// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Metric points of all kinds: partition by partition, in each kind by kind, oldest first.
struct PointsExport {
    private let points: MatchedPoints
    private var numbers = ExportedItems(PointExport<NumberValues>())
    private var histograms = ExportedItems(PointExport<HistogramValues>())
    private var exponentialHistograms = ExportedItems(PointExport<ExponentialHistogramValues>())
    private var summaries = ExportedItems(PointExport<SummaryValues>())

    init(_ points: MatchedPoints) { self.points = points }

    mutating func write(
        in range: TimeRange, from session: inout ReadSession, by run: inout ExportRun
    ) throws(QueryFailure) {
        run.begin(PointFields.names)
        for (table, partition) in try partitions(in: range, from: &session) where !run.isDone {
            switch table {
            case .number: try copy(\.numbers, partition, from: &session, by: &run)
            case .histogram: try copy(\.histograms, partition, from: &session, by: &run)
            case .exponentialHistogram:
                try copy(\.exponentialHistograms, partition, from: &session, by: &run)
            case .summary: try copy(\.summaries, partition, from: &session, by: &run)
            }
        }
    }

    private func partitions(
        in range: TimeRange, from session: inout ReadSession
    ) throws(QueryFailure) -> [(PointTable, FactPartition)] {
        var found: [(PointTable, FactPartition)] = []
        for table in points.tables {
            found += try FactPartition.all(of: table.name, in: range, from: &session)
                .map { (table, $0) }
        }
        // Not stable by itself: the place in the list is what tables of one time are ordered by.
        return found.enumerated()
            .sorted {
                ($0.element.1.range.startUnixNs, $0.offset)
                    < ($1.element.1.range.startUnixNs, $1.offset)
            }
            .map(\.element)
    }

    private mutating func copy<Values>(
        _ items: WritableKeyPath<PointsExport, ExportedItems<PointExport<Values>>>,
        _ partition: FactPartition, from session: inout ReadSession, by run: inout ExportRun
    ) throws(QueryFailure) {
        let query = points.query(
            self[keyPath: items].columns, of: partition, join: Values.join,
            order: PointExport<Values>.order)
        try run.copy(query, of: &self[keyPath: items], from: &session)
    }
}

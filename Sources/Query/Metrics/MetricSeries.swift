// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// The points of a metric, aggregated by step and label.
package struct MetricSeries: Sendable {
    private let question: MetricQuestion

    package init(_ question: MetricQuestion) { self.question = question }

    /// Errors: `notFound` where there is no such metric.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let range = try question.asked.resolved(nowUnixNs: Int64(Clock.unixNs))
        try range.check(widthNsMax: session.rangeNsMax)
        let metric = try MetricIdentity.find(question.metric, type: question.type, in: &session)
        let aggregation =
            question.aggregation?.value ?? metric.kind.usual(isMonotonic: metric.isMonotonic)
        guard metric.kind.allows(aggregation) else {
            throw QueryFailure(
                .invalidParameter,
                "\(question.aggregation?.name ?? "") cannot be made of a metric of type "
                    + metric.typeName, pointer: "aggregation")
        }
        let steps = MetricSteps(range, askedNs: question.stepNs)
        let compiler = try session.compiler(of: question.filter, .series)
        let statement = MetricStatement.make(
            question, metric.kind, aggregation, steps, compiler)
        let rows = try session.query(statement)
        var warnings = [question.limitWarning, steps.warning].compactMap { $0 } + metric.warnings
        writer.object { writer in
            writer.member("metric", question.metric)
            metric.write(to: &writer)
            writer.member("aggregation", question.aggregation?.name ?? aggregation.name)
            writer.member("start_time_unix_nano", digits: range.startUnixNs)
            writer.member("end_time_unix_nano", digits: range.endUnixNs)
            writer.member("step_nanos", digits: steps.stepNs)
            writer.key("series")
            writer.list { writer in
                let isBucketed = rows.columnCount == question.labels.count + 4
                var share: Double?
                if isBucketed, case .quantile(let asked) = aggregation { share = asked }
                let isCut = writeSeries(rows, steps, quantile: share, to: &writer)
                if isCut {
                    warnings.append(
                        "there are more series; these are the first \(question.limit)")
                }
            }
            if rows.rowCount > MetricStatement.rowCountMax {
                warnings.append(
                    "there are more points than \(MetricStatement.rowCountMax); ask for a longer "
                        + "step, or fewer labels")
            }
            writer.member("warnings", warnings)
        }
    }

    /// Rows come by labels and step. Returns whether there are more series than were asked for.
    private func writeSeries(
        _ rows: borrowing QueryResult, _ steps: MetricSteps, quantile share: Double?,
        to writer: inout JSONWriter
    ) -> Bool {
        let count = min(rows.rowCount, MetricStatement.rowCountMax)
        var row = 0
        var seriesCount = 0
        while row < count {
            guard seriesCount < question.limit else { return true }
            seriesCount += 1
            let first = row
            while row < count, isSameSeries(rows, first, row) { row += 1 }
            writer.object { writer in
                writer.key("labels")
                writer.object { writer in
                    for (index, label) in question.labels.enumerated() {
                        writer.member(label.name, text: index, of: rows, row: first)
                    }
                }
                writer.key("points")
                writer.list { writer in
                    if let share {
                        writeQuantiles(rows, first..<row, steps, share, to: &writer)
                    } else {
                        writeValues(rows, first..<row, steps, to: &writer)
                    }
                }
            }
        }
        return false
    }

    private func isSameSeries(_ rows: borrowing QueryResult, _ one: Int, _ other: Int) -> Bool {
        for column in question.labels.indices {
            let isNull = rows.isNull(row: one, column: column)
            guard isNull == rows.isNull(row: other, column: column) else { return false }
            let isSame =
                rows.string(row: one, column: column) == rows.string(row: other, column: column)
            guard isNull || isSame else { return false }
        }
        return true
    }

    private func writeValues(
        _ rows: borrowing QueryResult, _ range: Range<Int>, _ steps: MetricSteps,
        to writer: inout JSONWriter
    ) {
        let column = question.labels.count
        for row in range {
            guard let value = rows.double(row: row, column: column + 1) else { continue }
            let step = rows.integer(row: row, column: column) ?? 0
            MetricSeries.writePoint(steps.startUnixNs(step), value, to: &writer)
        }
    }

    private func writeQuantiles(
        _ rows: borrowing QueryResult, _ range: Range<Int>, _ steps: MetricSteps, _ share: Double,
        to writer: inout JSONWriter
    ) {
        let column = question.labels.count
        var row = range.lowerBound
        while row < range.upperBound {
            let step = rows.integer(row: row, column: column)
            var distribution = BucketDistribution()
            while row < range.upperBound, rows.integer(row: row, column: column) == step {
                distribution.add(
                    .init(
                        lower: rows.double(row: row, column: column + 1),
                        upper: rows.double(row: row, column: column + 2),
                        count: rows.double(row: row, column: column + 3) ?? 0))
                row += 1
            }
            if let value = distribution.quantile(share) {
                MetricSeries.writePoint(steps.startUnixNs(step ?? 0), value, to: &writer)
            }
        }
    }

    /// A value that JSON has no number for is null.
    private static func writePoint(
        _ unixNs: Int64, _ value: Double, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.member("time_unix_nano", digits: unixNs)
            writer.key("value")
            writer.decimal(value)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0

/// The statement that makes steps out of points. Its rows are the labels of a group, the number of
/// the step, and a value; or, for quantiles of histograms, bounds of a bucket and its count.
///
/// What is cumulative is told apart from what is delta series by series. The increase between two
/// points is their difference; after a reset, which shows as a smaller value of what only rises or
/// as another start time, it is all of the later one (OTLP data model, "Resets and gaps"). A point
/// with none before it counts if its series began within what was read.
struct MetricStatement {
    static let seriesCountMax = 10_000
    static let rowCountMax = 200_000

    let question: MetricQuestion
    let kind: MetricKind
    let aggregation: MetricAggregation
    let steps: MetricSteps
    private var statement = SQLStatement()
    private var start = ""
    private var end = ""
    private var step = ""
    private var lookback = ""

    /// Makes it, for series of which `compiler` filters some.
    static func make(
        _ question: MetricQuestion, _ kind: MetricKind, _ aggregation: MetricAggregation,
        _ steps: MetricSteps, _ compiler: FilterCompiler
    ) -> SQLStatement {
        var made = MetricStatement(
            question: question, kind: kind, aggregation: aggregation, steps: steps)
        let matched = made.matched(compiler)
        made.start = made.statement.bind(steps.range.startUnixNs)
        made.end = made.statement.bind(steps.range.endUnixNs)
        made.step = made.statement.bind(steps.stepNs)
        made.lookback = made.statement.bind(
            max(0, steps.range.startUnixNs - steps.lookbackNs))
        let result = made.result
        made.statement.text = """
            WITH \(matched),
            \(made.point),
            \(result)
            LIMIT \(rowCountMax + 1)
            """
        return made.statement
    }

    private init(
        question: MetricQuestion, kind: MetricKind, aggregation: MetricAggregation,
        steps: MetricSteps
    ) {
        (self.question, self.kind) = (question, kind)
        (self.aggregation, self.steps) = (aggregation, steps)
    }

    /// `label0, label1, `; empty without labels.
    private var labels: String {
        question.labels.indices.map { "label\($0), " }.joined()
    }

    // MARK: Series and points

    private mutating func matched(_ compiler: FilterCompiler) -> String {
        var columns = ""
        for (index, label) in question.labels.enumerated() {
            columns += ", \(label.expression(in: &statement)) AS label\(index)"
        }
        let name = statement.bind(question.metric)
        let condition = compiler.condition(question.filter, in: &statement)
        return """
            matched AS MATERIALIZED (
                SELECT series.series_id, metric.aggregation_temporality_id IS NOT DISTINCT FROM 1
                        AS is_delta,
                    coalesce(metric.is_monotonic, true) AS is_monotonic\(columns)
                FROM \(compiler.source)
                WHERE left(metric.name, 200) = left(\(name), 200) AND metric.name = \(name)
                    AND metric.metric_type_id = \(kind.rawValue) AND \(condition)
                ORDER BY series.series_id LIMIT \(MetricStatement.seriesCountMax)
            )
            """
    }

    /// What rises with time: the value, or the number of values.
    private var measure: String {
        kind.table == MetricKind.sum.table
            ? "coalesce(value_int::float8, value_double)" : "count::float8"
    }

    /// Columns that are needed of the point before, too.
    private var carried: [String] {
        switch (kind, aggregation) {
        case (.gauge, _), (.sum, _): []
        case (.histogram, .quantile): ["bounds_id", "bucket_counts"]
        case (.exponentialHistogram, .quantile):
            [
                "zero_count", "zero_threshold", "scale", "positive_offset",
                "positive_bucket_counts", "negative_offset", "negative_bucket_counts",
            ]
        default: ["sum"]
        }
    }

    /// Points of the range, with how much of the point before is in them.
    private var point: String {
        let further =
            switch kind {
            case .gauge, .sum: ""
            case .histogram, .exponentialHistogram: ", min, max"
            case .summary: ", quantiles, quantile_values"
            }
        let lags = carried.map { ", \($0), lag(\($0)) OVER series AS previous_\($0)" }.joined()
        let isOtherLayout =
            carried.contains("bounds_id")
            ? "OR bounds_id IS DISTINCT FROM previous_bounds_id" : ""
        return """
            read AS (
                SELECT matched.*, time_unix_nano AS time, start_time_unix_nano AS start,
                    \(measure) AS measure, lag(\(measure)) OVER series AS previous,
                    lag(start_time_unix_nano) OVER series AS previous_start\(lags)\(further)
                FROM matched JOIN \(kind.table) AS fact USING (series_id)
                WHERE time_unix_nano >= \(lookback) AND time_unix_nano < \(end)
                    AND \(measure) IS NOT NULL AND coalesce(flags & 1, 0) = 0
                WINDOW series AS (PARTITION BY series_id ORDER BY time_unix_nano)
            ), point AS (
                SELECT *, (time - \(start)) / \(step) AS step,
                    CASE WHEN is_delta OR previous IS NULL OR start > previous_start
                            OR (is_monotonic AND measure < previous) \(isOtherLayout)
                        THEN 0 ELSE 1 END AS carry,
                    is_delta OR previous IS NOT NULL OR start >= \(lookback) AS is_known
                FROM read WHERE time >= \(start)
            )
            """
    }

    // MARK: Steps

    private var result: String {
        switch (kind, aggregation) {
        case (.gauge, _), (.sum, _): return numbers
        case (.histogram, .quantile): return buckets(explicitBuckets)
        case (.exponentialHistogram, .quantile): return buckets(exponentialBuckets)
        case (.summary, .quantile(let share)): return summaryQuantile(share)
        default: return values(of: distributionValue, in: "point")
        }
    }

    /// Of a group in each step.
    private func values(of value: String, in source: String) -> String {
        """
        grouped AS (
            SELECT \(labels)step, (\(value))::float8 FROM \(source) GROUP BY \(labels)step
        )
        SELECT * FROM grouped ORDER BY \(labels)step
        """
    }

    /// The same, where each series has to be looked at by itself first.
    private func values(of value: String, outOf seriesValues: String) -> String {
        """
        series_step AS (
            SELECT \(labels)series_id, is_delta, step, max(time) AS time, \(seriesValues)
            FROM point GROUP BY \(labels)series_id, is_delta, step
        ),
        \(values(of: value, in: "series_step"))
        """
    }

    /// The last step may be shorter.
    private var stepSeconds: String {
        "(least(\(step), \(end) - \(start) - step * \(step)) / 1e9::float8)"
    }

    /// How much `column` has risen since the points before.
    private func increase(of column: String, since previous: String) -> String {
        """
        sum(CASE WHEN is_known THEN \(column) - carry * coalesce(\(previous), 0) ELSE 0 END)
        """
    }

    private var numbers: String {
        let newest = "(array_agg(measure ORDER BY time DESC))[1] AS last"
        switch aggregation {
        case .average: return values(of: "sum(measure) / count(*)", in: "point")
        case .minimum: return values(of: "min(measure)", in: "point")
        case .maximum: return values(of: "max(measure)", in: "point")
        case .count: return values(of: "count(*)", in: "point")
        case .increase: return values(of: increase(of: "measure", since: "previous"), in: "point")
        case .rate:
            return values(
                of: "\(increase(of: "measure", since: "previous")) / \(stepSeconds)", in: "point")
        case .sum:
            return values(
                of: "sum(CASE WHEN is_delta THEN total ELSE last END)",
                outOf: "sum(measure) AS total, \(newest)")
        case .last:
            return values(
                of: "(array_agg(last ORDER BY time DESC, series_id DESC))[1]", outOf: newest)
        case .quantile: preconditionFailure("numbers have no quantiles")
        }
    }

    private var distributionValue: String {
        let count = increase(of: "measure", since: "previous")
        let total = increase(of: "sum", since: "previous_sum")
        switch aggregation {
        case .average: return "\(total) / nullif(\(count), 0)"
        case .sum: return total
        case .minimum: return "min(min)"
        case .maximum: return "max(max)"
        case .count, .increase: return count
        case .rate: return "\(count) / \(stepSeconds)"
        case .last, .quantile: preconditionFailure("distributions have none")
        }
    }

    /// The newest of each series, and the largest of those: quantiles cannot be added up.
    private func summaryQuantile(_ share: Double) -> String {
        let value = """
            (SELECT value FROM unnest(quantiles, quantile_values) AS one (quantile, value)
                WHERE abs(quantile - \(share)::float8) < 1e-9 LIMIT 1)
            """
        return values(
            of: "max(value)", outOf: "(array_agg(\(value) ORDER BY time DESC))[1] AS value")
    }

    // MARK: Buckets

    /// Counts of the point and, taken off, those of the point before that it still has in it.
    private func buckets(_ source: String) -> String {
        """
        bucket AS (
            SELECT \(labels)step, one.lower, one.upper, one.count
            FROM point \(source)
            WHERE is_known
        )
        SELECT \(labels)step, lower, upper, sum(count)::float8 FROM bucket
        GROUP BY \(labels)step, lower, upper HAVING sum(count) <> 0
        ORDER BY \(labels)step, lower NULLS FIRST, upper NULLS LAST
        """
    }

    /// A bound that is NULL is infinite.
    private var explicitBuckets: String {
        """
        LEFT JOIN otel_histogram_bounds_dim AS bounds USING (bounds_id)
        CROSS JOIN LATERAL (
            SELECT explicit_bounds[place - 1] AS lower, explicit_bounds[place] AS upper,
                now::float8 - carry * coalesce(before, 0)::float8 AS count
            FROM unnest(bucket_counts, previous_bucket_counts)
                WITH ORDINALITY AS counts (now, before, place)
            WHERE now IS NOT NULL) AS one
        """
    }

    private var exponentialBuckets: String {
        """
        CROSS JOIN LATERAL (
            \(exponential(prefix: "", sign: "1"))
            UNION ALL
            \(exponential(prefix: "previous_", sign: "-carry"))) AS one
        """
    }

    /// Bucket i is above base^i and up to base^(i+1), where base is 2^(2^-scale).
    private func exponential(prefix: String, sign: String) -> String {
        func bound(_ place: String, _ offset: String) -> String {
            "power(2::float8, least(greatest((coalesce(\(prefix)\(offset), 0) + \(place))"
                + " * power(2::float8, -\(prefix)scale), -1022), 1023))"
        }
        return """
            SELECT -\(prefix)zero_threshold AS lower, \(prefix)zero_threshold AS upper,
                \(sign) * \(prefix)zero_count::float8 AS count
            WHERE \(sign) <> 0 AND \(prefix)zero_count <> 0
            UNION ALL
            SELECT \(bound("place - 1", "positive_offset")), \(bound("place", "positive_offset")),
                \(sign) * counted::float8
            FROM unnest(\(prefix)positive_bucket_counts) WITH ORDINALITY AS one (counted, place)
            WHERE \(sign) <> 0 AND counted <> 0
            UNION ALL
            SELECT -\(bound("place", "negative_offset")), -\(bound("place - 1", "negative_offset")),
                \(sign) * counted::float8
            FROM unnest(\(prefix)negative_bucket_counts) WITH ORDINALITY AS one (counted, place)
            WHERE \(sign) <> 0 AND counted <> 0
            """
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import OTLPFixtures
import Rows
import Testing

// Goal: every column of the four tables of data points holds what the point said. Method: as for
// spans.

/// Field numbers of `Metric.data`.
private enum Kind {
    static let gauge = 5
    static let sum = 7
    static let histogram = 9
    static let exponentialHistogram = 10
    static let summary = 11
}

private func metricRows(
    _ kind: Int, _ table: FactTable, point: (inout WireWriter) -> Void
) throws -> [CopyRow] {
    let bytes = request { scope in
        scope.metric(kind: kind) { data in
            data.message(1) { message in
                message.fixed64(3, baseUnixNs)
                point(&message)
            }
        }
    }
    return try rows(.metrics, table, bytes)
}

private func bits(_ values: [Double]) -> [UInt64] { values.map { $0.bitPattern } }

private enum ElementOID {
    static let int8 = 20
    static let float8 = 701
}

@Test(arguments: [Kind.gauge, Kind.sum])
func everythingThatANumberPointSays(kind: Int) throws {
    let row = try #require(
        try metricRows(kind, .numberPoints) { point in
            point.fixed64(2, baseUnixNs - 60)
            point.double(4, -0.0)
            point.number(8, 1)
            point.message(5) { exemplar in
                exemplar.fixed64(2, baseUnixNs - 1)
                exemplar.fixed64(6, 0)
                exemplar.bytes(4, [1, 2])
                exemplar.bytes(5, sampleTraceID)
                exemplar.attributes(7, ["k": .bool(true)])
            }
            point.message(5) { $0.double(3, .infinity) }
            point.message(5) { $0.double(3, 0) }
            point.message(5)
        }.first)
    #expect(try row.integer("time_unix_nano") == Int64(baseUnixNs))
    #expect(try row.integer("start_time_unix_nano") == Int64(baseUnixNs) - 60)
    #expect(try row.integer("series_id") == 4)
    #expect(try row.integer("value_int") == nil)
    #expect(try row.double("value_double")?.bitPattern == (-0.0).bitPattern)
    #expect(try row.integer("flags") == 1)
    #expect(
        try row.json("exemplars") == #"[{"time_unix_nano":1699999999999999999,"value_int":0,"#
            + #""trace_id":"0102030405060708090a0b0c0d0e0f10","span_id":"0102","#
            + #""attributes":{"k":true}},"#
            + #"{"value_double":{"$double":"Infinity"}},{"value_double":0.0},{}]"#)
}

@Test func numberPointsWithIntegersAndWithoutValues() throws {
    let integer = try #require(
        try metricRows(Kind.sum, .numberPoints) { $0.fixed64(6, UInt64.max) }.first)
    #expect(try integer.integer("value_int") == -1)
    #expect(try integer.double("value_double") == nil)

    let none = try #require(try metricRows(Kind.sum, .numberPoints) { $0.number(8, 1) }.first)
    for column in ["value_int", "value_double", "start_time_unix_nano", "exemplars"] {
        #expect(try none.raw(column) == nil)
    }
    #expect(try none.integer("flags") == 1)
}

@Test func everythingThatAHistogramPointSays() throws {
    let row = try #require(
        try metricRows(Kind.histogram, .histogramPoints) { point in
            point.fixed64(2, baseUnixNs - 60)
            point.fixed64(4, UInt64.max)
            point.double(5, 12.5)
            point.double(11, .nan)
            point.double(12, .infinity)
            for count in [0, 7, UInt64.max] { point.fixed64(6, count) }
            for bound in [0.5, 10] { point.double(7, bound) }
            point.message(8) { $0.fixed64(6, 5) }
            point.number(10, 3)
        }.first)
    #expect(try row.integer("count") == -1)
    #expect(try row.double("sum") == 12.5)
    #expect(try row.double("min")?.isNaN == true)
    #expect(try row.double("max") == .infinity)
    #expect(try row.integer("bounds_id") == 4)
    #expect(try row.integer("series_id") == 5)
    #expect(try row.integer("flags") == 3)
    #expect(try row.array("bucket_counts", elementOID: ElementOID.int8) == [0, 7, UInt64.max])
    #expect(try row.json("exemplars") == #"[{"value_int":5}]"#)
}

@Test func whatAHistogramPointDoesNotSayIsNull() throws {
    let row = try #require(try metricRows(Kind.histogram, .histogramPoints) { _ in }.first)
    for column in ["sum", "min", "max", "bounds_id", "flags", "bucket_counts", "exemplars"] {
        #expect(try row.raw(column) == nil, "\(column)")
    }
    #expect(try row.integer("count") == 0)
}

@Test func everythingThatAnExponentialHistogramPointSays() throws {
    let row = try #require(
        try metricRows(Kind.exponentialHistogram, .expHistogramPoints) { point in
            point.fixed64(4, 10)
            point.double(5, 1)
            point.number(6, 5)  // sint32 -3
            point.fixed64(7, 2)
            point.message(8) { buckets in
                buckets.number(1, 1)  // sint32 -1
                buckets.bytes(2, [1, 0, 3])
            }
            point.message(9)
            point.number(10, 2)
            point.double(12, -1)
            point.double(13, 4)
            point.double(14, 0.125)
        }.first)
    #expect(try row.integer("count") == 10)
    #expect(try row.double("sum") == 1)
    #expect(try row.double("min") == -1)
    #expect(try row.double("max") == 4)
    #expect(try row.integer("zero_count") == 2)
    #expect(try row.double("zero_threshold") == 0.125)
    #expect(try row.integer("scale") == -3)
    #expect(try row.integer("positive_offset") == -1)
    // Present and empty.
    #expect(try row.integer("negative_offset") == 0)
    #expect(try row.integer("flags") == 2)
    #expect(try row.array("positive_bucket_counts", elementOID: ElementOID.int8) == [1, 0, 3])
    #expect(try row.raw("negative_bucket_counts") == nil)
}

@Test func whatAnExponentialHistogramPointDoesNotSayIsNull() throws {
    let row = try #require(
        try metricRows(Kind.exponentialHistogram, .expHistogramPoints) { _ in }.first)
    let nullColumns = [
        "sum", "min", "max", "positive_offset", "negative_offset", "flags",
        "positive_bucket_counts",
        "negative_bucket_counts", "exemplars",
    ]
    for column in nullColumns { #expect(try row.raw(column) == nil, "\(column)") }
    #expect(try row.integer("scale") == 0 && row.integer("zero_count") == 0)
    #expect(try row.double("zero_threshold") == 0)
}

@Test func everythingThatASummaryPointSays() throws {
    let row = try #require(
        try metricRows(Kind.summary, .summaryPoints) { point in
            point.fixed64(4, 3)
            point.double(5, 9.5)
            for (quantile, value) in [(0.0, 1.0), (0.5, 2.0), (1.0, .nan)] {
                point.message(6) {
                    $0.double(1, quantile)
                    $0.double(2, value)
                }
            }
            point.number(8, 1)
        }.first)
    #expect(try row.integer("count") == 3)
    #expect(try row.double("sum") == 9.5)
    #expect(try row.integer("flags") == 1)
    #expect(try row.array("quantiles", elementOID: ElementOID.float8) == bits([0, 0.5, 1]))
    #expect(try row.array("quantile_values", elementOID: ElementOID.float8) == bits([1, 2, .nan]))

    let empty = try #require(try metricRows(Kind.summary, .summaryPoints) { _ in }.first)
    #expect(try empty.raw("quantiles") == nil && empty.raw("quantile_values") == nil)
}

@Test func pointsOfSeveralKindsFindTheirBoundsAndSeries() throws {
    let bytes = request { scope in
        for bounds in [[1.0], [], [1.0, 2.0]] {
            scope.metric(name: "h\(bounds.count)", kind: Kind.histogram) { data in
                for index in 0..<2 {
                    data.message(1) { point in
                        point.fixed64(3, baseUnixNs)
                        point.attributes(9, ["i": .int(Int64(index))])
                        for bound in bounds { point.double(7, bound) }
                    }
                }
            }
            scope.metric(name: "g\(bounds.count)", kind: Kind.gauge) { data in
                data.message(1) { $0.fixed64(3, baseUnixNs) }
            }
        }
    }
    var station = Station()
    let tallies = try station.run([ExportBox(.metrics, bytes, budget: station.budget)])
    #expect(tallies[0].rowCount == 9)
    let histograms = try station.rows(.histogramPoints)
    let boundsIDs = try histograms.map { try $0.integer("bounds_id") }
    #expect(boundsIDs[0] == boundsIDs[1] && boundsIDs[0] != nil)
    #expect(boundsIDs[2] == nil && boundsIDs[3] == nil)
    #expect(boundsIDs[4] == boundsIDs[5] && boundsIDs[4] != nil && boundsIDs[4] != boundsIDs[0])
    let seriesIDs = try (histograms + station.rows(.numberPoints)).map {
        try $0.integer("series_id")
    }
    #expect(Set(seriesIDs).count == 9)
}

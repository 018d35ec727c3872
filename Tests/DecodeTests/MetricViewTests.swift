// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: as for the other views; here for metrics and their five kinds of points.

/// Decodes one metric that `build` writes, and hands it to `check`.
private func withMetric(
    _ build: (inout WireWriter) -> Void, check: (MetricView) throws -> Void
) throws {
    let export = try decode(request { $0.message(2, build) }, .metrics)
    try check(export.resourceMetrics[0].scopeMetrics[0].metrics[0])
}

private func writeExemplar(_ exemplar: inout WireWriter) {
    exemplar.fixed64(2, 2)
    exemplar.double(3, 1.5)
    exemplar.bytes(4, [4])
    exemplar.bytes(5, [5])
    exemplar.attribute(7, "filtered")
}

private func checkExemplar(_ exemplar: ExemplarView) {
    #expect(exemplar.timeUnixNano == 2)
    #expect(exemplar.value == .double(1.5))
    #expect([exemplar.spanID[0], exemplar.traceID[0]] == [4, 5])
    #expect(exemplar.filteredAttributes[0].key.string == "filtered")
}

@Test func metricFields() throws {
    try withMetric {
        $0.text(1, "name")
        $0.text(2, "description")
        $0.text(3, "unit")
        $0.attribute(12, "metadata")
    } check: { metric in
        #expect(metric.name.string == "name")
        #expect(metric.description.string == "description")
        #expect(metric.unit.string == "unit")
        #expect(metric.metadata[0].key.string == "metadata")
        guard case .none = metric.data else {
            Issue.record("data out of nothing")
            return
        }
    }
}

@Test func gaugeAndSumFields() throws {
    func writePoint(_ point: inout WireWriter) {
        point.fixed64(2, 2)
        point.fixed64(3, 3)
        point.fixed64(6, UInt64(bitPattern: -6))
        point.message(5, writeExemplar)
        point.attribute(7, "attribute")
        point.number(8, 1)
    }
    func checkPoint(_ point: NumberDataPointView) {
        #expect(point.startTimeUnixNano == 2)
        #expect(point.timeUnixNano == 3)
        #expect(point.value == .int(-6))
        #expect(point.attributes[0].key.string == "attribute")
        #expect(point.flags == 1)
        checkExemplar(point.exemplars[0])
    }
    try withMetric {
        $0.message(5) { $0.message(1, writePoint) }
    } check: { metric in
        guard case .gauge(let points) = metric.data else {
            Issue.record("not a gauge")
            return
        }
        points.forEach(checkPoint)
        #expect(points.count == 1)
    }
    try withMetric {
        $0.message(7) {
            $0.message(1, writePoint)
            $0.number(2, 2)
            $0.number(3, 1)
        }
    } check: { metric in
        guard case .sum(let points, temporality: 2, isMonotonic: true) = metric.data else {
            Issue.record("not the sum")
            return
        }
        points.forEach(checkPoint)
        #expect(points.count == 1)
    }
}

@Test func numberValues() throws {
    let values: [(NumberValue, (inout WireWriter) -> Void)] = [
        (.none, { _ in }), (.double(0), { $0.double(4, 0) }), (.int(0), { $0.fixed64(6, 0) }),
        (.double(.infinity), { $0.double(4, .infinity) }),
    ]
    for (expected, write) in values {
        try withMetric {
            $0.message(5) { $0.message(1, write) }
        } check: { metric in
            guard case .gauge(let points) = metric.data else {
                Issue.record("not a gauge")
                return
            }
            #expect(points[0].value == expected)
        }
    }
}

@Test(arguments: [true, false])
func histogramFields(isPacked: Bool) throws {
    try withMetric {
        $0.message(9) {
            $0.message(1) { point in
                point.fixed64(2, 2)
                point.fixed64(3, 3)
                point.fixed64(4, 4)
                point.double(5, 5)
                if isPacked {
                    point.packedFixed64(6, [1, 2, .max])
                    point.packedFixed64(7, [0.5, 1.5].map(\.bitPattern))
                } else {
                    for count in [1, 2, UInt64.max] { point.fixed64(6, count) }
                    for bound in [0.5, 1.5] { point.double(7, bound) }
                }
                point.message(8, writeExemplar)
                point.attribute(9, "attribute")
                point.number(10, 1)
                point.double(11, 0)
            }
            $0.number(2, 1)
        }
    } check: { metric in
        guard case .histogram(let points, temporality: 1) = metric.data else {
            Issue.record("not the histogram")
            return
        }
        let point = points[0]
        #expect(
            [point.startTimeUnixNano, point.timeUnixNano, point.measurementCount] == [2, 3, 4])
        #expect(point.sum == 5 && point.min == 0 && point.max == nil)
        #expect(Array(point.bucketCounts) == [1, 2, .max])
        #expect(Array(point.explicitBounds) == [0.5, 1.5])
        #expect(point.attributes[0].key.string == "attribute")
        #expect(point.flags == 1)
        checkExemplar(point.exemplars[0])
    }
}

@Test func exponentialHistogramFields() throws {
    try withMetric {
        $0.message(10) {
            $0.message(1) { point in
                point.attribute(1, "attribute")
                point.fixed64(2, 2)
                point.fixed64(3, 3)
                point.fixed64(4, 4)
                point.number(6, 3)  // zigzag: -2
                point.fixed64(7, 7)
                point.message(8) {
                    $0.number(1, 4)  // zigzag: 2
                    $0.bytes(2, [1, 0x80, 0x01])
                    $0.number(2, 9)
                }
                point.number(10, 1)
                point.message(11, writeExemplar)
                point.double(13, 13)
                point.double(14, 0.25)
            }
            $0.number(2, 2)
        }
    } check: { metric in
        guard case .exponentialHistogram(let points, temporality: 2) = metric.data else {
            Issue.record("not the histogram")
            return
        }
        let point = points[0]
        #expect(
            [point.startTimeUnixNano, point.timeUnixNano, point.measurementCount] == [2, 3, 4])
        #expect(point.sum == nil && point.min == nil && point.max == 13)
        #expect(point.scale == -2 && point.zeroCount == 7 && point.zeroThreshold == 0.25)
        let positive = try #require(point.positive)
        #expect(positive.offset == 2)
        #expect(Array(positive.bucketCounts) == [1, 128, 9])
        #expect(point.negative == nil)
        #expect(point.attributes[0].key.string == "attribute")
        #expect(point.flags == 1)
        checkExemplar(point.exemplars[0])
    }
}

@Test func summaryFields() throws {
    try withMetric {
        $0.message(11) {
            $0.message(1) { point in
                point.fixed64(2, 2)
                point.fixed64(3, 3)
                point.fixed64(4, 4)
                point.double(5, 5)
                point.message(6) {
                    $0.double(1, 0.99)
                    $0.double(2, 12)
                }
                point.attribute(7, "attribute")
                point.number(8, 1)
            }
        }
    } check: { metric in
        guard case .summary(let points) = metric.data else {
            Issue.record("not the summary")
            return
        }
        let point = points[0]
        #expect(
            [point.startTimeUnixNano, point.timeUnixNano, point.measurementCount] == [2, 3, 4])
        #expect(point.sum == 5)
        #expect(point.quantileValues.map(\.quantile) == [0.99])
        #expect(point.quantileValues.map(\.value) == [12])
        #expect(point.attributes[0].key.string == "attribute")
        #expect(point.flags == 1)
    }
}

// Goal: packed numbers that are cut off are refused. Method: each length around the size of one
// number, and varints that do not end.
@Test func packedNumbers() {
    func point(_ data: Int, _ build: (inout WireWriter) -> Void) -> [UInt8] {
        request { $0.message(2) { $0.message(data) { $0.message(1, build) } } }
    }
    for sizeBytes in 0...17 {
        let bytes = point(9) { $0.bytes(6, [UInt8](repeating: 1, count: sizeBytes)) }
        #expect((refusalMessage(bytes, .metrics) == nil) == (sizeBytes % 8 == 0))
    }
    let varints: [([UInt8], Bool)] = [
        ([], true), ([0], true), ([0x80], false), ([0x80, 0], true), ([1, 2, 3], true),
        ([1, 0x80], false),
        ([UInt8](repeating: 5, count: 8), true), ([UInt8](repeating: 5, count: 8) + [0x80], false),
        ([0x80] + [UInt8](repeating: 5, count: 9), true),
        ([UInt8](repeating: 0xFF, count: 9) + [UInt8](repeating: 5, count: 8), true),
        ([UInt8](repeating: 0xFF, count: 10) + [UInt8](repeating: 5, count: 8), false),
        ([UInt8](repeating: 0xFF, count: 9) + [1], true),
        ([UInt8](repeating: 0xFF, count: 10) + [1], false),
    ]
    for (content, isValid) in varints {
        let bytes = point(10) { $0.message(8) { $0.bytes(2, content) } }
        #expect((refusalMessage(bytes, .metrics) == nil) == isValid, "\(content)")
    }
}

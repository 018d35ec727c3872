// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

/// How many different things `starling send` sends about.
struct ShapeOptions: ParsableArguments {
    @Option(help: "Resources in all, in turn; else some twenty, which the seed chooses.")
    var resources: Int?

    @Option(help: "Resources in each request, as a gateway's has; with --resources.")
    var resourcesPerRequest: Int?

    @Option(help: "Pairs of name and kind of spans in all, in turn; for traces.")
    var operations: Int?

    @Option(help: "Kinds of data points; for metrics.")
    var points: TelemetryShape.Points?

    /// Numbers that are given, each with its name and range.
    var numbers: [(String, Int, ClosedRange<Int>)] {
        [
            ("--resources", resources, 1...10_000_000),
            ("--resources-per-request", resourcesPerRequest, 1...10_000),
            ("--operations", operations, 1...10_000_000),
        ].compactMap { name, value, range in value.map { (name, $0, range) } }
    }

    func validate(for signal: Signal) throws {
        if resourcesPerRequest != nil && resources == nil {
            throw ValidationError("--resources-per-request goes with --resources")
        }
        if operations != nil && signal != .traces {
            throw ValidationError("--operations is for traces: nothing else has operations")
        }
        if points != nil && signal != .metrics {
            throw ValidationError("--points is for metrics: nothing else has data points")
        }
    }

    func shape(batchItemCount: Int) -> TelemetryShape {
        var shape = TelemetryShape()
        if let resources {
            let perRequest = min(resourcesPerRequest ?? 1, batchItemCount)
            shape.resources = TelemetryShape.Resources(
                count: resources, itemsEach: (batchItemCount + perRequest - 1) / perRequest)
        }
        shape.operationCount = operations
        shape.points = points ?? .all
        return shape
    }
}

extension TelemetryShape.Points: ExpressibleByArgument {}

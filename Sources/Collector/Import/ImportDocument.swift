// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import GRPC

/// An export request as a file has it.
struct ImportDocument {
    enum Form: Equatable {
        case json
        case protobuf
    }

    let form: Form
    /// What a JSON text says that it is; nil where the form cannot tell.
    let signal: Signal?
    let bytes: [UInt8]
    /// Where it begins, for people: `line 3`, `byte 1024`.
    let place: String
}

/// Why a file cannot be read on.
package struct ImportFault: Error, Equatable, CustomStringConvertible {
    /// With the file, the place in it, and what to do.
    package let description: String
}

/// Counts the items of an export request on the wire (opentelemetry-proto).
enum ImportItems {
    // Resource…: 1; Scope…: 2; items: 2.
    private static let path: [UInt64] = [1, 2, 2]
    /// Of Metric: gauge, sum, histogram, exponential_histogram, summary.
    private static let metricData: Set<UInt64> = [5, 7, 9, 10, 11]

    /// Nil where `message` is not well formed.
    static func count(_ message: ByteSlice, _ signal: Signal) -> Int? {
        count(message, signal, depth: 0)
    }

    private static func count(_ message: ByteSlice, _ signal: Signal, depth: Int) -> Int? {
        if depth == path.count { return signal == .metrics ? pointCount(message) : 1 }
        var fields = WireFields(message)
        var total = 0
        while let field = fields.next() {
            guard field.number == path[depth], case .bytes(let inner) = field.value else {
                continue
            }
            guard let found = count(inner, signal, depth: depth + 1) else { return nil }
            total += found
        }
        return fields.isMalformed ? nil : total
    }

    private static func pointCount(_ metric: ByteSlice) -> Int? {
        var fields = WireFields(metric)
        var total = 0
        while let field = fields.next() {
            guard metricData.contains(field.number), case .bytes(let data) = field.value else {
                continue
            }
            var points = WireFields(data)
            while let point = points.next() {
                if point.number == 1, case .bytes = point.value { total += 1 }
            }
            if points.isMalformed { return nil }
        }
        return fields.isMalformed ? nil : total
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Writes Prometheus' text format, version 0.0.4: families of samples, each with HELP and TYPE.
struct MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String { case counter, gauge, histogram }

    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""

    /// Begins a family; its samples follow.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(MetricsText.escaped(help, quotes: false))\n"
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Int) {
        sample(name, labels, valueText: "\(value)")
    }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
        sample(name, labels, valueText: MetricsText.number(value))
    }

    /// A family of one sample without labels.
    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        family(name, .gauge, help)
        sample(name, [], value)
    }

    /// A family of one sample without labels.
    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, .gauge, help)
        sample(name, [], value)
    }

    /// One histogram, in seconds, of a family that was begun.
    mutating func histogram(_ name: String, _ labels: Labels, _ value: HistogramSnapshot) {
        var count = 0
        for (boundNs, inside) in zip(DurationBuckets.upperBoundsNs, value.counts) {
            count += inside
            let bound = MetricsText.number(MetricsText.seconds(boundNs))
            sample(name + "_bucket", labels + [("le", bound)], count)
        }
        sample(name + "_bucket", labels + [("le", "+Inf")], value.count)
        sample(name + "_sum", labels, MetricsText.seconds(value.sumNs))
        sample(name + "_count", labels, value.count)
    }

    private mutating func sample(_ name: String, _ labels: Labels, valueText: String) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map {
                "\($0.name)=\"\(MetricsText.escaped($0.value, quotes: true))\""
            }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(valueText)\n"
    }

    static func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e9 }

    /// As Go's ParseFloat reads it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
        return "\(value)"
    }

    /// Backslash and line feed, and in label values the double quote.
    static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

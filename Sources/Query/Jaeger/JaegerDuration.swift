// SPDX-License-Identifier: Apache-2.0

/// Durations as Go writes them: numbers with units, the one behind the other.
package enum JaegerDuration {
    private static let units: [(name: String, ns: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9),
        ("h", 3_600e9),
    ]

    /// Nanoseconds of `1.2s`, `100ms`, `1h30m`, `0`. Nil for anything else, for negative ones, and
    /// for what 63 bits cannot say.
    package static func ns(_ text: String) -> Int64? {
        var rest = text[...]
        if rest.hasPrefix("+") { rest.removeFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0 == "." || $0.isASCII && $0.isNumber }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0 != "." && !($0.isASCII && $0.isNumber) }
            guard let unit = units.first(where: { $0.name == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            sum += number * unit.ns
        }
        return Int64(exactly: sum.rounded())
    }
}

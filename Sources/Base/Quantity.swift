// SPDX-License-Identifier: Apache-2.0

/// Sizes and durations as people write them: a number and a unit.
package enum Quantity {
    private struct Unit {
        let names: [String]
        let factor: Int64
    }

    private static let byteUnits = [
        Unit(names: ["tib"], factor: 1 << 40), Unit(names: ["gib"], factor: 1 << 30),
        Unit(names: ["mib"], factor: 1 << 20), Unit(names: ["kib"], factor: 1 << 10),
        Unit(names: ["b", ""], factor: 1),
    ]

    private static let durationUnits = [
        Unit(names: ["d"], factor: 86_400_000_000_000),
        Unit(names: ["h"], factor: 3_600_000_000_000),
        Unit(names: ["m"], factor: 60_000_000_000), Unit(names: ["s"], factor: 1_000_000_000),
        Unit(names: ["ms"], factor: 1_000_000), Unit(names: ["us"], factor: 1_000),
        Unit(names: ["ns"], factor: 1),
    ]

    /// Bytes of `64MiB`, `64 mib` or `67108864`.
    package static func bytes(_ text: String) throws(ValueFault) -> Int {
        let fault = ValueFault(
            "this is not a size",
            remedy: "write a whole number and B, KiB, MiB, GiB or TiB, for example 64MiB")
        guard let (number, unitName, rest) = leadingTerm(text[...]), rest.isEmpty else {
            throw fault
        }
        if ["k", "m", "g", "t", "kb", "mb", "gb", "tb"].contains(unitName) {
            let binary = unitName.prefix(1).uppercased() + "iB"
            throw ValueFault("sizes are in binary units", remedy: "write \(number)\(binary)")
        }
        guard let unit = byteUnits.first(where: { $0.names.contains(unitName) }) else {
            throw fault
        }
        return Int(try product(number, unit.factor))
    }

    /// Nanoseconds of `30s`, `1d12h`, `250 ms` or `0`.
    package static func durationNs(_ text: String) throws(ValueFault) -> Int64 {
        let fault = ValueFault(
            "this is not a duration",
            remedy: "write whole numbers with ms, s, m, h or d, for example 30s, 15m or 1d12h")
        if text == "0" { return 0 }
        var rest = text[...]
        var totalNs: Int64 = 0
        var lastFactor = Int64.max
        while !rest.isEmpty {
            guard let (number, unitName, tail) = leadingTerm(rest) else { throw fault }
            if unitName.isEmpty {
                throw ValueFault(
                    "the unit is missing", remedy: "write \(number)s if seconds are meant")
            }
            guard let unit = durationUnits.first(where: { $0.names.contains(unitName) }),
                unit.factor < lastFactor
            else { throw fault }
            let (sum, overflow) = totalNs.addingReportingOverflow(try product(number, unit.factor))
            guard !overflow else { throw tooLarge }
            (totalNs, lastFactor, rest) = (sum, unit.factor, tail)
        }
        guard lastFactor != Int64.max else { throw fault }
        return totalNs
    }

    /// The shortest way to write `bytes` with one unit.
    package static func text(bytes: Int) -> String {
        let names = ["TiB", "GiB", "MiB", "KiB"]
        for (unit, name) in zip(byteUnits, names)
        where bytes != 0 && Int64(bytes) % unit.factor == 0 {
            return "\(Int64(bytes) / unit.factor)\(name)"
        }
        return "\(bytes)"
    }

    /// `durationNs` in falling units, for example `1d12h`.
    package static func text(durationNs: Int64) -> String {
        guard durationNs != 0 else { return "0s" }
        var restNs = durationNs
        var text = ""
        for unit in durationUnits where restNs >= unit.factor {
            text += "\(restNs / unit.factor)\(unit.names[0])"
            restNs %= unit.factor
        }
        return text
    }

    private static let tooLarge = ValueFault("this is too large", remedy: "write a smaller number")

    private static func product(_ number: Int64, _ factor: Int64) throws(ValueFault) -> Int64 {
        let (result, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow else { throw tooLarge }
        return result
    }

    /// Digits, blanks, letters (made lower case), blanks, and what follows; nil if no digit comes
    /// first.
    private static func leadingTerm(_ text: Substring) -> (Int64, String, Substring)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        let letters = text[digits.endIndex...].drop { $0 == " " }.prefix {
            $0.isASCII && $0.isLetter
        }
        let rest = text[letters.endIndex...].drop { $0 == " " }
        return (number, letters.lowercased(), rest)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Numbers with a fraction, for people and for JSON.
package enum DecimalText {
    /// `-0.125` with three digits, rounded; `digits` is 0 to 9, and numbers are below 10^9.
    package static func text(_ number: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(Int64(1)) { product, _ in product * 10 }
        let scaled = Int64((number * Double(scale)).rounded())
        let (whole, rest) = scaled.magnitude.quotientAndRemainder(dividingBy: scale.magnitude)
        let sign = scaled < 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = "\(rest)"
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }
}

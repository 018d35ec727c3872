// SPDX-License-Identifier: Apache-2.0
internal import Base

/// A JSON number: digits, and a power of ten.
@safe
package struct JSONNumeral {
    package let isNegative: Bool
    /// The digits without the point, as far as they fit.
    private let digits: UInt64
    /// False when there were too many digits to keep.
    private let isComplete: Bool
    /// The value is `digits` times ten to the power of this.
    private let exponent: Int
    private let text: ByteSlice

    private static let exponentMax = 100_000

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    /// Reads the number at `start`, and says how many bytes it has; nil where there is none.
    static func parse(_ text: ByteSlice, from start: Int) -> (JSONNumeral, sizeBytes: Int)? {
        var scan = Scan(text: text, offset: start)
        let isNegative = scan.take(0x2d)
        guard let first = scan.peek(), isDigit(first) else { return nil }
        if first == 0x30 {
            scan.offset += 1
            if let next = scan.peek(), isDigit(next) { return nil }
        } else {
            scan.takeDigits(isFraction: false)
        }
        if scan.take(0x2e) {
            guard let next = scan.peek(), isDigit(next) else { return nil }
            scan.takeDigits(isFraction: true)
        }
        if scan.take(0x65) || scan.take(0x45), !scan.takeExponent() { return nil }
        let sizeBytes = scan.offset - start
        let numeral = JSONNumeral(
            isNegative: isNegative, digits: scan.digits, isComplete: scan.isComplete,
            exponent: scan.exponent, text: text.slice(offset: start, count: sizeBytes))
        return (numeral, sizeBytes)
    }

    private struct Scan {
        let text: ByteSlice
        var offset: Int
        var digits: UInt64 = 0
        var isComplete = true
        var exponent = 0

        func peek() -> UInt8? { offset < text.count ? text[offset] : nil }

        mutating func take(_ byte: UInt8) -> Bool {
            guard peek() == byte else { return false }
            offset += 1
            return true
        }

        mutating func takeDigits(isFraction: Bool) {
            while let byte = peek(), JSONNumeral.isDigit(byte) {
                offset &+= 1
                let (tens, isTooLarge) = digits.multipliedReportingOverflow(by: 10)
                let (sum, isOver) = tens.addingReportingOverflow(UInt64(byte &- 0x30))
                if isTooLarge || isOver || !isComplete {
                    // Zeros need no room; behind the point they change nothing.
                    if byte != 0x30 { isComplete = false }
                    if !isFraction { exponent += 1 }
                    continue
                }
                digits = sum
                if isFraction { exponent -= 1 }
            }
        }

        mutating func takeExponent() -> Bool {
            let isNegative = take(0x2d)
            if !isNegative { _ = take(0x2b) }
            guard let first = peek(), JSONNumeral.isDigit(first) else { return false }
            var value = 0
            while let byte = peek(), JSONNumeral.isDigit(byte) {
                offset &+= 1
                value = min(JSONNumeral.exponentMax, value * 10 + Int(byte &- 0x30))
            }
            exponent += isNegative ? -value : value
            return true
        }
    }

    /// The absolute value if it is a whole number of 64 bits.
    package var magnitude: UInt64? {
        guard isComplete else { return nil }
        if digits == 0 { return 0 }
        var (value, power) = (digits, exponent)
        while power < 0 {
            guard value.isMultiple(of: 10) else { return nil }
            value /= 10
            power += 1
        }
        while power > 0 {
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            guard !isTooLarge else { return nil }
            value = product
            power -= 1
        }
        return value
    }

    /// The nearest double; nil where it is larger than any.
    package var double: Double? {
        let value: Double
        // Both are exact, so that one rounding is made.
        if isComplete, digits <= 1 << 53, abs(exponent) <= 22 {
            let power = JSONNumeral.powersOfTen[abs(exponent)]
            let magnitude = exponent < 0 ? Double(digits) / power : Double(digits) * power
            value = isNegative ? -magnitude : magnitude
        } else {
            guard let parsed = Double(text.string) else { return nil }
            value = parsed
        }
        return value.isFinite ? value : nil
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}

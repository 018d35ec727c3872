// SPDX-License-Identifier: Apache-2.0
internal import Base

// Numbers in JSON text.
extension CopyBuffer {
    /// Digits of UInt64.max, and a sign.
    private static let integerSizeBytesMax = 21

    @inline(__always)
    mutating func appendJSON(_ value: Int64) -> Bool {
        guard reserve(CopyBuffer.integerSizeBytesMax) else { return false }
        putDecimal(value)
        return true
    }

    @inline(__always)
    mutating func appendJSON(_ value: UInt64) -> Bool {
        guard reserve(CopyBuffer.integerSizeBytesMax) else { return false }
        putDecimal(value)
        return true
    }

    /// Needs 20 bytes of room.
    private mutating func putDecimal(_ value: Int64) {
        if value < 0 { put(UInt8(ascii: "-")) }
        putDecimal(value.magnitude)
    }

    /// Needs 20 bytes of room. Two digits per division, from the last one on.
    private mutating func putDecimal(_ value: UInt64) {
        let pairs: StaticString = """
            00010203040506070809101112131415161718192021222324252627282930313233343536373839\
            40414243444546474849505152535455565758596061626364656667686970717273747576777879\
            8081828384858687888990919293949596979899
            """
        let digitCount = CopyBuffer.digitCount(value)
        assert(count + digitCount <= capacityBytes)
        var rest = value
        var offset = count + digitCount
        while rest >= 100 {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 100)
            offset -= 2
            let pair = unsafe UnsafeRawPointer(pairs.utf8Start).loadUnaligned(
                fromByteOffset: Int(remainder) * 2, as: UInt16.self)
            unsafe storage.storeBytes(of: pair, toByteOffset: offset, as: UInt16.self)
            rest = quotient
        }
        if rest >= 10 {
            let pair = unsafe UnsafeRawPointer(pairs.utf8Start).loadUnaligned(
                fromByteOffset: Int(rest) * 2, as: UInt16.self)
            unsafe storage.storeBytes(of: pair, toByteOffset: offset - 2, as: UInt16.self)
        } else {
            let digit = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest)
            unsafe storage.storeBytes(of: digit, toByteOffset: offset - 1, as: UInt8.self)
        }
        count += digitCount
    }

    private static func digitCount(_ value: UInt64) -> Int {
        var digitCount = 1
        var rest = value
        while true {
            if rest < 10 { return digitCount }
            if rest < 100 { return digitCount + 1 }
            if rest < 1_000 { return digitCount + 2 }
            if rest < 10_000 { return digitCount + 3 }
            rest /= 10_000
            digitCount += 4
        }
    }
}

// Doubles. A number with a fraction part is a double and one without is an integer: that is how a
// value read back is told to be what it was. What a JSON number cannot say so, stands in
// {"$double":"…"}.
extension CopyBuffer {
    /// A value between these needs no more than 23 characters in positional notation.
    private static let positionalMin = 1e-6
    private static let positionalEnd = 1e17
    /// Below this, whole doubles are whole Int64 and have all their digits.
    private static let wholeEnd = 1e15
    /// `{"$double":"` and `"}` around the longest description, or the longest positional number.
    private static let doubleSizeBytesMax = 64

    mutating func appendJSON(_ value: Double) -> Bool {
        guard reserve(CopyBuffer.doubleSizeBytesMax) else { return false }
        let magnitude = value.magnitude
        if magnitude < CopyBuffer.wholeEnd, value.bitPattern != (-0.0).bitPattern {
            let whole = Int64(value)
            if Double(whole) == value {
                putDecimal(whole)
                put(".0")
                return true
            }
        }
        if magnitude >= CopyBuffer.positionalMin, magnitude < CopyBuffer.positionalEnd {
            putPositional(value)
        } else {
            putTagged(value)
        }
        return true
    }

    /// Shortest digits that read back as `value`, with a point and without an exponent.
    private mutating func putPositional(_ value: Double) {
        let text = DoubleText(value)
        guard let exponentOffset = text.exponentOffset else {
            return putText(text, range: 0..<text.count)
        }
        var offset = 0
        if text[0] == UInt8(ascii: "-") {
            put(UInt8(ascii: "-"))
            offset = 1
        }
        // d.ddde±dd: the digits without the point, of which the first stands before it.
        let exponent = text.integer(after: exponentOffset)
        let hasFraction = exponentOffset > offset + 1
        let fractionDigits = hasFraction ? offset + 2..<exponentOffset : 0..<0
        if exponent < 0 {
            put("0.")
            for _ in 0..<(-exponent - 1) { put(UInt8(ascii: "0")) }
            put(text[offset])
            putText(text, range: fractionDigits)
        } else {
            put(text[offset])
            let wholeCount = min(exponent, fractionDigits.count)
            let wholeEnd = fractionDigits.lowerBound + wholeCount
            putText(text, range: fractionDigits.lowerBound..<wholeEnd)
            for _ in wholeCount..<exponent { put(UInt8(ascii: "0")) }
            put(UInt8(ascii: "."))
            if wholeEnd == fractionDigits.upperBound { put(UInt8(ascii: "0")) }
            putText(text, range: wholeEnd..<fractionDigits.upperBound)
        }
    }

    private mutating func putTagged(_ value: Double) {
        put("{\"$double\":\"")
        if value.isNaN {
            put("NaN")
        } else if value.isInfinite {
            put(value < 0 ? "-Infinity" : "Infinity")
        } else {
            let text = DoubleText(value)
            putText(text, range: 0..<text.count)
        }
        put("\"}")
    }

    private mutating func putText(_ text: DoubleText, range: Range<Int>) {
        for offset in range { put(text[offset]) }
    }
}

/// What `Double.description` says, without a String: the standard library writes the shortest
/// digits that read back as the same value.
private struct DoubleText: TextOutputStream {
    /// Longest text is -2.2250738585072014e-308.
    private static let sizeBytesMax = 32

    private var bytes: InlineArray<32, UInt8> = .init(repeating: 0)
    private(set) var count = 0

    init(_ value: Double) { value.write(to: &self) }

    subscript(offset: Int) -> UInt8 {
        precondition(offset < count)
        return bytes[offset]
    }

    /// Where the `e` is, if there is one.
    var exponentOffset: Int? {
        // At the end, after at most four characters: e-308.
        for offset in stride(from: count - 1, through: max(0, count - 5), by: -1)
        where bytes[offset] == UInt8(ascii: "e") {
            return offset
        }
        return nil
    }

    /// The signed integer that follows `offset` up to the end.
    func integer(after offset: Int) -> Int {
        var value = 0
        for position in offset + 2..<count {
            value = value * 10 + Int(bytes[position] - UInt8(ascii: "0"))
        }
        return bytes[offset + 1] == UInt8(ascii: "-") ? -value : value
    }

    mutating func write(_ string: String) {
        for byte in string.utf8 { append(byte) }
    }

    /// The standard library hands the digits of a double here, before it would make a String of
    /// them. It is a requirement with a default: should it go away, `write(_:)` takes its place and
    /// allocates.
    mutating func _writeASCII(_ buffer: UnsafeBufferPointer<UInt8>) {
        for offset in buffer.indices { append(unsafe buffer[offset]) }
    }

    private mutating func append(_ byte: UInt8) {
        precondition(count < DoubleText.sizeBytesMax)
        bytes[count] = byte
        count += 1
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Points in time as people and programs write them.
package enum TimeText {
    /// Nanoseconds since 1970 of RFC 3339 (`2026-03-01T12:00:00.5+01:00`), of digits, which are
    /// nanoseconds, and of `now`, `now-15m`, `now+1h`. Nil for anything else, and for times that
    /// 63 bits cannot say.
    package static func unixNs(_ text: String, nowUnixNs: Int64) -> Int64? {
        if text.hasPrefix("now") { return relative(text.dropFirst(3), nowUnixNs) }
        if !text.isEmpty, text.utf8.allSatisfy(isDigit) { return Int64(text) }
        return rfc3339(Array(text.utf8))
    }

    /// Nanoseconds of a duration: digits, which are nanoseconds, or units as the configuration
    /// has them (`250ms`, `1m30s`). Nil for anything else.
    package static func durationNs(_ text: String) -> Int64? {
        if !text.isEmpty, text.utf8.allSatisfy(isDigit) { return Int64(text) }
        return try? Quantity.durationNs(text)
    }

    private static func relative(_ rest: Substring, _ nowUnixNs: Int64) -> Int64? {
        guard let sign = rest.first else { return nowUnixNs }
        guard sign == "-" || sign == "+", let distance = durationNs(String(rest.dropFirst())) else {
            return nil
        }
        let (moved, isOver) =
            sign == "-"
            ? nowUnixNs.subtractingReportingOverflow(distance)
            : nowUnixNs.addingReportingOverflow(distance)
        return isOver ? nil : max(0, moved)
    }

    // MARK: RFC 3339, section 5.6

    private static func rfc3339(_ text: [UInt8]) -> Int64? {
        guard text.count >= 20, text[4] == 0x2d, text[7] == 0x2d, text[10] | 0x20 == 0x74,
            text[13] == 0x3a, text[16] == 0x3a, let year = number(text[0..<4]),
            let month = number(text[5..<7]), (1...12).contains(month),
            let day = number(text[8..<10]), (1...dayCount(year, month)).contains(day),
            let hour = number(text[11..<13]), hour < 24, let minute = number(text[14..<16]),
            minute < 60, let second = number(text[17..<19]), second <= 60
        else { return nil }
        var rest = text[19...]
        guard let fractionNs = takeFraction(&rest), let offsetSeconds = offset(rest) else {
            return nil
        }
        let seconds =
            daysSince1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
            - offsetSeconds
        let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isSumOver) = whole.addingReportingOverflow(fractionNs)
        return isOver || isSumOver || seconds < 0 ? nil : sum
    }

    /// What is beyond nanoseconds is cut off.
    private static func takeFraction(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        guard rest.first == UInt8(ascii: ".") else { return 0 }
        let digits = rest.dropFirst().prefix(while: isDigit)
        rest = rest[digits.endIndex...]
        guard !digits.isEmpty else { return nil }
        let kept = digits.prefix(9)
        return number(kept + Array(repeating: UInt8(ascii: "0"), count: 9 - kept.count))
    }

    private static func offset(_ text: ArraySlice<UInt8>) -> Int64? {
        let text = Array(text)
        if text.count == 1, text[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        guard text.count == 6, text[0] == UInt8(ascii: "+") || text[0] == UInt8(ascii: "-"),
            text[3] == UInt8(ascii: ":"), let hours = number(text[1..<3]), hours < 24,
            let minutes = number(text[4..<6]), minutes < 60
        else { return nil }
        let seconds = hours * 3_600 + minutes * 60
        return text[0] == UInt8(ascii: "-") ? -seconds : seconds
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy(isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    private static func dayCount(_ year: Int64, _ month: Int64) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// In the calendar of Gregory, with years that begin in March: the day that leap years have
    /// more is their last then.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let marchYear = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400 + dayOfYear
            - 719_468
    }
}

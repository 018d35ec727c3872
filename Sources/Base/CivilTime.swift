// SPDX-License-Identifier: Apache-2.0

/// A moment as people write it.
package enum CivilTime {
    /// `2026-11-21T08:05:09.123Z` of nanoseconds since 1970, cut to milliseconds.
    package static func text(unixNs: UInt64) -> String {
        let seconds = Int(unixNs / 1_000_000_000)
        let date = self.date(daysSince1970: seconds / 86_400)
        let second = seconds % 86_400
        return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
            + padded(second / 3_600, 2) + ":" + padded(second / 60 % 60, 2) + ":"
            + padded(second % 60, 2) + "." + padded(Int(unixNs % 1_000_000_000 / 1_000_000), 3)
            + "Z"
    }

    /// Gregorian date, after Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": years
    /// begin in March there, so that the leap day is the last.
    private static func date(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let days = daysSince1970 + 719_468  // since 0000-03-01
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

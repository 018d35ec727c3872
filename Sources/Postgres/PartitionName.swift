// SPDX-License-Identifier: Apache-2.0

/// How partitions are called: by the UTC time at which they begin.
enum PartitionName {
    static let hourNs: Int64 = 3_600_000_000_000
    static let dayNs = 24 * hourNs

    /// `t_p20261121` for whole days, `t_p20261121_06` for parts of one. What begins at neither a
    /// day nor an hour, as only the room between partitions made by hand can, is called `t_t<Unix
    /// nanoseconds>`.
    ///
    /// At most 59 bytes for the longest table; the server cuts names at 63.
    static func name(table: String, range: PartitionRange, intervalNs: Int64) -> String {
        let day = floorDivide(range.fromNs, dayNs)
        let (restOfDayNs, restOfHourNs) = (range.fromNs - day * dayNs, range.fromNs % hourNs)
        guard restOfHourNs == 0, let date = UTCDate(daysSinceEpoch: day) else {
            return "\(table)_t\(range.fromNs)"
        }
        let dayName = "\(table)_p\(date.compactName)"
        if restOfDayNs == 0 && intervalNs % dayNs == 0 { return dayName }
        return dayName + "_" + paddedTwo(restOfDayNs / hourNs)
    }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    fileprivate static func paddedTwo(_ value: Int64) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }
}

/// A day of the Gregorian calendar.
struct UTCDate: Equatable {
    let year: Int64
    let month: Int64
    let day: Int64

    /// Nil outside years 1 to 9999. The algorithm is H. Hinnant's "civil_from_days": years that
    /// begin in March put the leap day last, so that months have a regular length.
    init?(daysSinceEpoch: Int64) {
        guard (-719_162...2_932_896).contains(daysSinceEpoch) else { return nil }
        let shifted = daysSinceEpoch + 719_468  // days since 0000-03-01
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `20261121`.
    var compactName: String {
        let digits = String(year * 10_000 + month * 100 + day)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

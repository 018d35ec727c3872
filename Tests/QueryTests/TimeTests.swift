// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct TimeTests {
    private static let nowUnixNs: Int64 = 1_000_000_000_000

    @Test(arguments: [
        ("0", 0), ("1709294400000000001", 1_709_294_400_000_000_001),
        ("9223372036854775807", Int64.max), ("now", nowUnixNs), ("now-0", nowUnixNs),
        ("now-15m", nowUnixNs - 900_000_000_000), ("now+1h30m", nowUnixNs + 5_400_000_000_000),
        ("now-30d", 0), ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:01.5z", 1_500_000_000),
        ("2024-02-29t12:00:00+01:30", 1_709_202_600_000_000_000),
        ("2000-03-01T00:00:00.123456789999-00:00", 951_868_800_123_456_789),
        ("1999-12-31T23:59:60Z", 946_684_800_000_000_000),
        ("2262-04-11T23:47:16.854775807Z", Int64.max),
    ])
    func times(_ text: String, _ unixNs: Int64) {
        #expect(TimeText.unixNs(text, nowUnixNs: TimeTests.nowUnixNs) == unixNs)
    }

    @Test(arguments: [
        "", "-1", "+1", "9223372036854775808", "now-", "now-x", "now15m", "yesterday",
        "1969-12-31T23:59:59Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00+0100", "2024-01-01T00:00:00+24:00", "2262-04-11T23:47:16.854775808Z",
        "9999-12-31T23:59:59Z", "2024-01-01", "２024-01-01T00:00:00Z",
    ])
    func noTimes(_ text: String) {
        #expect(TimeText.unixNs(text, nowUnixNs: TimeTests.nowUnixNs) == nil)
    }

    @Test func aRangeIsNotEmptyAndNotTooWide() throws {
        let asked = try AskedTimeRange(start: "now-2s", end: nil)
        let range = try asked.resolved(nowUnixNs: 5_000_000_000)
        #expect(range == TimeRange(startUnixNs: 3_000_000_000, endUnixNs: 5_000_000_000))
        try range.check(widthNsMax: 2_000_000_000)
        let tooWide = #expect(throws: QueryFailure.self) {
            try range.check(widthNsMax: 1_999_999_999)
        }
        #expect(tooWide?.kind == .rangeTooWide)
        for end in ["now-2s", "1"] {
            let empty = #expect(throws: QueryFailure.self) {
                try AskedTimeRange(start: "now-2s", end: end).resolved(nowUnixNs: 5_000_000_000)
            }
            #expect(empty?.kind == .invalidParameter)
        }
    }

    @Test func aRangeNeedsItsStart() {
        let failure = #expect(throws: QueryFailure.self) {
            try AskedTimeRange(start: nil, end: "now")
        }
        #expect(failure?.pointer == "start_time")
    }
}

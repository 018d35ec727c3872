// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Base

// Goal: sizes and durations mean what people expect, and mistakes get a remedy, not a guess.

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0", 0), ("1", 1), ("1B", 1), ("1KiB", 1_024), ("64MiB", 64 << 20), ("256 MiB", 256 << 20),
        ("64mib", 64 << 20), ("2GiB", 2 << 30), ("1TiB", 1 << 40), ("67108864", 64 << 20),
        ("9223372036854775807", Int.max),
    ])
    func sizes(text: String, expected: Int) throws {
        #expect(try Quantity.bytes(text) == expected)
    }

    @Test(arguments: [
        "", " ", "MiB", "-1", "+1", "1.5MiB", "1MiB 2KiB", "64 potatoes", "0x10", "1_000", "١",
        "9223372036854775808", "8388608TiB",
    ])
    func wrongSizes(text: String) {
        #expect(throws: ValueFault.self) { try Quantity.bytes(text) }
    }

    @Test(arguments: [
        ("64M", "write 64MiB"), ("64MB", "write 64MiB"), ("1k", "write 1KiB"),
        ("3gb", "write 3GiB"),
    ])
    func decimalUnitsAreNotGuessed(text: String, remedy: String) {
        let fault = #expect(throws: ValueFault.self) { try Quantity.bytes(text) }
        #expect(fault?.remedy == remedy)
    }

    @Test(
        arguments: [
            ("0", 0), ("0s", 0), ("1ns", 1), ("1us", 1_000), ("250ms", 250_000_000),
            ("250 ms", 250_000_000),
            ("30s", 30_000_000_000), ("15m", 900_000_000_000), ("1h30m", 5_400_000_000_000),
            ("1d12h", 129_600_000_000_000), ("1d 12h", 129_600_000_000_000),
            ("7d", 604_800_000_000_000),
            ("106751d", 9_223_286_400_000_000_000),
        ] as [(String, Int64)])
    func durations(text: String, expectedNs: Int64) throws {
        #expect(try Quantity.durationNs(text) == expectedNs)
    }

    @Test(arguments: [
        "", "s", "30", "-1s", "1.5h", "1m1h", "1s1s", "1y", "1h30", "106752d", "106751d23h48m",
        "5s!",
    ])
    func wrongDurations(text: String) {
        #expect(throws: ValueFault.self) { try Quantity.durationNs(text) }
    }

    @Test func missingUnitIsNamed() {
        let fault = #expect(throws: ValueFault.self) { try Quantity.durationNs("30") }
        #expect(fault?.problem == "the unit is missing")
        #expect(fault?.remedy == "write 30s if seconds are meant")
    }

    @Test(arguments: [
        0, 1, 1_000, 1_024, 65_535, 64 << 20, 3 << 30, 1 << 40, (1 << 40) + 1, Int.max,
    ])
    func sizesComeBack(bytes: Int) throws {
        #expect(try Quantity.bytes(Quantity.text(bytes: bytes)) == bytes)
    }

    @Test(
        arguments: [0, 1, 999, 1_000_000, 90_000_000_000, 129_600_000_000_000, Int64.max] as [Int64]
    )
    func durationsComeBack(ns: Int64) throws {
        #expect(try Quantity.durationNs(Quantity.text(durationNs: ns)) == ns)
    }

    @Test func textIsShort() {
        #expect(Quantity.text(bytes: 64 << 20) == "64MiB")
        #expect(Quantity.text(bytes: 1_025) == "1025")
        #expect(Quantity.text(durationNs: 90_000_000_000) == "1m30s")
    }
}

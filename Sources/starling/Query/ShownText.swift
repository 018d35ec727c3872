// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Collector

/// Values of telemetry as people read them in a terminal.
enum ShownText {
    /// `2026-11-26T19:05:00.123Z`; empty for nil.
    static func time(_ unixNs: Int64?) -> String {
        guard let unixNs, unixNs >= 0 else { return "" }
        return CivilTime.text(unixNs: UInt64(unixNs))
    }

    /// Three digits at least: `870ns`, `1.25ms`, `12.5s`; empty for nil.
    static func duration(_ nanoseconds: Int64?) -> String {
        guard let nanoseconds else { return "" }
        let units: [(size: Int64, name: String)] = [
            (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"),
        ]
        guard let unit = units.first(where: { nanoseconds.magnitude >= $0.size.magnitude }) else {
            return "\(nanoseconds)ns"
        }
        let hundredths = nanoseconds / (unit.size / 100)
        let (whole, rest) = (hundredths / 100, (hundredths % 100).magnitude)
        let digits =
            switch whole.magnitude {
            case 100...: ""
            case 10...: ".\(rest / 10)"
            default: rest < 10 ? ".0\(rest)" : ".\(rest)"
            }
        return "\(whole)\(digits)\(unit.name)"
    }

    /// `1.2 %`.
    static func percent(_ ratio: Double?) -> String {
        guard let ratio else { return "" }
        let tenths = Int((ratio * 1_000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    /// One line: what would break it, or talk to a terminal, is replaced.
    static func line(_ text: String, countMax: Int = 120) -> String {
        let shown = text.prefix(countMax).unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.value {
            case 0x0a, 0x0d, 0x09: " "
            case 0..<0x20, 0x7f...0x9f: "?"
            default: scalar
            }
        }
        return String(String.UnicodeScalarView(shown)) + (text.count > countMax ? "…" : "")
    }
}

/// Colours, where standard output is a terminal and nobody said that they want none (NO_COLOR).
struct Colours {
    private let isOn: Bool

    static let ofThisProcess = Colours(
        isOn: isatty(STDOUT_FILENO) == 1
            && (ProcessEnvironment.all()["NO_COLOR"] ?? "").isEmpty)

    init(isOn: Bool) { self.isOn = isOn }

    func red(_ text: String) -> String { isOn ? "\u{1b}[31m\(text)\u{1b}[0m" : text }
    func dim(_ text: String) -> String { isOn ? "\u{1b}[2m\(text)\u{1b}[0m" : text }
}

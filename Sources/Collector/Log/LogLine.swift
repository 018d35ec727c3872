// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging

/// One message as one line, in the three shapes that a log can have.
enum LogLine {
    /// How lines look.
    enum Shape: Sendable {
        /// `2026-11-21T08:05:09.123Z warning message key=value`
        case text
        /// `<4>message key=value`: the journal knows the time, and takes the priority from the
        /// front.
        case journal
        /// `{"time":"…","level":"warning","message":"…","key":"value"}`
        case json
    }

    /// The line, ending in a line break and containing no other.
    static func render(
        _ shape: Shape, level: Logger.Level, message: String, metadata: Logger.Metadata,
        unixNs: UInt64
    ) -> String {
        var line = ""
        switch shape {
        case .text:
            line += CivilTime.text(unixNs: unixNs) + " " + level.rawValue + " "
            appendEscaped(message, to: &line)
        case .journal:
            line += "<\(priority(level))>"
            appendEscaped(message, to: &line)
        case .json:
            return json(level: level, message: message, metadata: metadata, unixNs: unixNs)
        }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " "
            appendEscaped(key, to: &line)
            line += "="
            appendValue("\(value)", to: &line)
        }
        return line + "\n"
    }

    /// syslog(3)'s priorities.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static let jsonKeys: Set<String> = ["time", "level", "message"]

    private static func json(
        level: Logger.Level, message: String, metadata: Logger.Metadata, unixNs: UInt64
    ) -> String {
        var line = "{\"time\":\"\(CivilTime.text(unixNs: unixNs))\",\"level\":\"\(level.rawValue)\""
        line += ",\"message\":"
        appendJSON(message, to: &line)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += ","
            appendJSON(jsonKeys.contains(key) ? key + "_" : key, to: &line)
            line += ":"
            appendJSON(value, to: &line)
        }
        return line + "}\n"
    }

    private static func appendJSON(_ value: Logger.MetadataValue, to line: inout String) {
        switch value {
        case .string(let text): appendJSON(text, to: &line)
        case .stringConvertible(let number as any BinaryInteger): line += "\(number)"
        case .stringConvertible(let truth as Bool): line += "\(truth)"
        case .stringConvertible(let value): appendJSON(value.description, to: &line)
        case .array(let values):
            for (index, value) in values.enumerated() {
                line += index == 0 ? "[" : ","
                appendJSON(value, to: &line)
            }
            line += values.isEmpty ? "[]" : "]"
        case .dictionary(let values):
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                line += index == 0 ? "{" : ","
                appendJSON(key, to: &line)
                line += ":"
                appendJSON(value, to: &line)
            }
            line += values.isEmpty ? "{}" : "}"
        }
    }

    private static func appendJSON(_ text: String, to line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": line += "\\\(scalar)"
            case _ where isControl(scalar): line += "\\u" + hex(scalar.value, width: 4)
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }

    /// Quoted if it could be taken for something else.
    private static func appendValue(_ text: String, to line: inout String) {
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                scalar != " " && scalar != "\"" && scalar != "=" && !isControl(scalar)
            }
        if isPlain { line += text } else { appendJSON(text, to: &line) }
    }

    /// A message cannot forge a second line, nor talk to a terminal.
    private static func appendEscaped(_ text: String, to line: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": line += "\\n"
            case _ where isControl(scalar): line += "\\u" + hex(scalar.value, width: 4)
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    /// C0, DEL and C1.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    }

    private static func hex(_ value: UInt32, width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

// SPDX-License-Identifier: Apache-2.0

/// JSON that a verb prints with `--json`.
enum JSONText {
    case text(String)
    case number(Int64)
    case decimal(Double, digits: Int)
    case truth(Bool)
    case null
    case list([JSONText])
    case object([(String, JSONText)])

    static func number(_ value: Int?) -> JSONText { value.map { .number(Int64($0)) } ?? .null }
    static func number(_ value: Int64?) -> JSONText { value.map { .number($0) } ?? .null }
    static func text(_ value: String?) -> JSONText { value.map { .text($0) } ?? .null }
}

extension JSONText: CustomStringConvertible {
    /// On one line.
    var description: String {
        switch self {
        case .text(let text): return JSONText.quoted(text)
        case .number(let number): return "\(number)"
        case .decimal(let number, let digits): return DecimalText.text(number, digits: digits)
        case .truth(let truth): return "\(truth)"
        case .null: return "null"
        case .list(let items):
            return "[" + items.map(\.description).joined(separator: ",") + "]"
        case .object(let fields):
            let members = fields.map { JSONText.quoted($0.0) + ":" + $0.1.description }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// Numbers with a fraction, for people and for JSON.
enum DecimalText {
    /// `-0.125` with three digits, rounded; `digits` is 0 to 9, and numbers are below 10^9.
    static func text(_ number: Double, digits: Int) -> String {
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

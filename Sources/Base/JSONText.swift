// SPDX-License-Identifier: Apache-2.0

/// JSON to be written, members in the order given.
package enum JSONText: Sendable {
    case text(String)
    case number(Int64)
    /// Finite.
    case decimal(Double)
    /// With so many digits behind the point, see `DecimalText`.
    case rounded(Double, digits: Int)
    case truth(Bool)
    case null
    case list([JSONText])
    case object([(String, JSONText)])

    package static func number(_ value: Int?) -> JSONText {
        value.map { .number(Int64($0)) } ?? .null
    }

    package static func number(_ value: Int64?) -> JSONText { value.map { .number($0) } ?? .null }
    package static func text(_ value: String?) -> JSONText { value.map { .text($0) } ?? .null }
    package static func decimal(_ value: Double?) -> JSONText {
        value.map { .decimal($0) } ?? .null
    }
}

extension JSONText: CustomStringConvertible {
    /// On one line.
    package var description: String {
        switch self {
        case .text(let text): return JSONText.quoted(text)
        case .number(let number): return "\(number)"
        case .decimal(let number):
            precondition(number.isFinite, "JSON has no such number")
            return "\(number)"
        case .rounded(let number, let digits): return DecimalText.text(number, digits: digits)
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

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Copy
internal import Decode

/// Whose telemetry it is: the value of one resource attribute (`retention.tenant_attribute`).
enum TenantName {
    /// Longest name, bytes; as `retention_policy.tenant`.
    static let sizeBytesMax = 200
    /// Stands for names that are too long or too many.
    static let other = "(other)"

    /// A string, or an integer as its digits; empty without one. A value of any other type is none.
    static func of(_ resource: ResourceView?, attribute: String) -> String {
        guard let resource else { return "" }
        var found: AnyValueView?
        for member in resource.attributes where member.key.equals(attribute) {
            found = member.value
        }
        switch found?.kind {
        case .string(let text):
            return text.count <= sizeBytesMax ? DeadLetter.text(text) : other
        case .int(let number): return String(number)
        default: return ""
        }
    }
}

extension ByteSlice {
    func equals(_ text: String) -> Bool {
        guard count == text.utf8.count else { return false }
        var offset = 0
        for byte in text.utf8 {
            guard self[offset] == byte else { return false }
            offset += 1
        }
        return true
    }
}

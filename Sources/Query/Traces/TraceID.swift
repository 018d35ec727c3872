// SPDX-License-Identifier: Apache-2.0

/// A trace id as people and programs write it: 32 hexadecimal digits in either case, or the 16 of
/// systems with shorter ids, which are the last 16 then.
package struct TraceID: Sendable, Equatable {
    /// 32 lower-case hexadecimal digits, which PostgreSQL takes for a uuid.
    package let text: String

    /// Nil where `written` is none, or is all zeros.
    package init?(_ written: some StringProtocol) {
        let digits = written.lowercased()
        guard digits.utf8.count == 32 || digits.utf8.count == 16,
            digits.utf8.allSatisfy(TraceID.isHexDigit), !digits.allSatisfy({ $0 == "0" })
        else { return nil }
        text = String(repeating: "0", count: 32 - digits.utf8.count) + digits
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

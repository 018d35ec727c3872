// SPDX-License-Identifier: Apache-2.0

/// A span id as people and programs write it: 16 hexadecimal digits in either case, not all zero.
package struct SpanID: Sendable, Equatable {
    /// As facts hold it: the 8 bytes, big-endian.
    package let bits: Int64

    /// Nil where `written` is none.
    package init?(_ written: some StringProtocol) {
        guard written.utf8.count == 16, written.utf8.first != UInt8(ascii: "+"),
            let number = UInt64(written, radix: 16), number != 0
        else { return nil }
        bits = Int64(bitPattern: number)
    }
}

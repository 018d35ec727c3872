// SPDX-License-Identifier: Apache-2.0
package import Base

/// `KeyValue`: one attribute, or one member of a list of pairs.
@safe
package struct KeyValueView: WireMessage {
    private let bytes: ByteSlice

    package init(base: UnsafeRawPointer?, count: Int) {
        unsafe bytes = ByteSlice(base: base, count: count)
    }

    package var key: ByteSlice { usualParts?.key ?? unusualKey }

    /// Nil when the message is absent, which means the same as an empty value.
    package var value: AnyValueView? {
        guard let usualParts else { return unusualValue }
        return AnyValueView(usualParts.value)
    }

    /// Key and value as every encoder writes them: in this order, each shorter than 128 bytes, and
    /// nothing else.
    private var usualParts: (key: ByteSlice, value: ByteSlice)? {
        @inline(__always) get {
            let count = bytes.count
            guard count >= 4, bytes[0] == PairTag.key else { return nil }
            let keyCount = Int(bytes[1])
            let valueOffset = keyCount &+ 4
            guard valueOffset <= count, bytes[valueOffset &- 2] == PairTag.value,
                Int(bytes[valueOffset &- 1]) == count &- valueOffset,
                keyCount | (count &- valueOffset) < 0x80
            else { return nil }
            return (
                bytes.slice(offset: 2, count: keyCount),
                bytes.slice(offset: valueOffset, count: count &- valueOffset)
            )
        }
    }

    /// The last key on the wire.
    private var unusualKey: ByteSlice {
        var reader = WireReader(bytes)
        var key = ByteSlice.empty
        while let field = reader.next() { if field.number == 1 { key = field.bytes } }
        return key
    }

    private var unusualValue: AnyValueView? {
        var reader = WireReader(bytes)
        while let field = reader.next() {
            if field.number == 2 { return AnyValueView(field.bytes) }
        }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode
internal import Rows

// Fields of a row: a 32-bit length, -1 for NULL, then the value as the type's receive function
// reads it. Source: PostgreSQL 15, documentation of COPY, "Binary Format".
extension CopyBuffer {
    /// Length of the length of a field.
    static let lengthSizeBytes = 4
    /// A field of 8 bytes with its length: the largest that is reserved for by counting columns.
    static let fieldSizeBytesMax = lengthSizeBytes + 8

    /// Starts a row.
    @inline(__always)
    mutating func putColumnCount(_ columnCount: Int) { putBigEndian(Int16(columnCount)) }

    @inline(__always)
    mutating func putNull() { putBigEndian(-1 as Int32) }

    /// int8, int4 or int2, by the type of the value.
    @inline(__always)
    mutating func putField<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        putBigEndian(Int32(MemoryLayout<T>.size))
        putBigEndian(value)
    }

    @inline(__always)
    mutating func putField<T: FixedWidthInteger & BitwiseCopyable>(_ value: T?) {
        if let value { putField(value) } else { putNull() }
    }

    /// An integer whose 0 is stored as NULL.
    @inline(__always)
    mutating func putFieldOrNull<T: FixedWidthInteger & BitwiseCopyable>(zeroIsNull value: T) {
        if value == 0 { putNull() } else { putField(value) }
    }

    /// float8.
    @inline(__always)
    mutating func putField(_ value: Double) { putField(value.bitPattern) }

    @inline(__always)
    mutating func putField(_ value: Double?) {
        if let value { putField(value) } else { putNull() }
    }

    /// boolean.
    @inline(__always)
    mutating func putField(_ value: Bool) { putField(value ? 1 : 0 as UInt8) }

    /// uuid. Needs 20 bytes.
    @inline(__always)
    mutating func putField(_ traceID: TraceID) {
        putBigEndian(16 as Int32)
        putBigEndian(traceID.high)
        putBigEndian(traceID.low)
    }

    /// text or bytea.
    @inline(__always)
    mutating func appendField(_ bytes: ByteSlice) -> Bool {
        guard reserve(CopyBuffer.lengthSizeBytes + bytes.count) else { return false }
        putBigEndian(Int32(bytes.count))
        put(bytes)
        return true
    }

    /// text whose empty value is stored as NULL.
    @inline(__always)
    mutating func appendFieldOrNull(emptyIsNull bytes: ByteSlice) -> Bool {
        bytes.isEmpty ? appendNull() : appendField(bytes)
    }

    @inline(__always)
    mutating func appendNull() -> Bool {
        guard reserve(CopyBuffer.lengthSizeBytes) else { return false }
        putNull()
        return true
    }
}

// jsonb: one byte of version, then the text. The length is known only at the end.
extension CopyBuffer {
    /// Starts a jsonb field; returns where its length goes, or nil past the budget.
    @inline(__always)
    mutating func beginJSONField() -> Int? {
        guard reserve(CopyBuffer.lengthSizeBytes + 1) else { return nil }
        let offset = count
        putBigEndian(0 as Int32)
        put(1 as UInt8)
        return offset
    }

    /// Ends the jsonb field whose length is at `offset`; false past 1 GiB, which PostgreSQL never
    /// takes.
    @inline(__always)
    mutating func endJSONField(at offset: Int) -> Bool {
        guard let sizeBytes = Int32(exactly: count - offset - CopyBuffer.lengthSizeBytes) else {
            return false
        }
        patchBigEndian(sizeBytes, at: offset)
        return true
    }

    /// An attributes object, NULL where there are no attributes.
    mutating func appendJSONField(attributes: WireMessageList<KeyValueView>) -> Bool {
        guard !attributes.isEmpty else { return appendNull() }
        guard let offset = beginJSONField(), appendJSON(attributes: attributes) else {
            return false
        }
        return endJSONField(at: offset)
    }
}

// Arrays: dimensions, whether there are NULLs, element type; length and lower bound of the
// dimension; then the elements as fields.
extension CopyBuffer {
    private enum TypeOID {
        static let int8: Int32 = 20
        static let float8: Int32 = 701
    }

    private static let arrayHeaderSizeBytes = 20

    /// bigint[], NULL where it is empty; uint64 as bit patterns.
    mutating func appendField(_ numbers: ScalarList<UInt64>?) -> Bool {
        guard let numbers, !numbers.isEmpty else { return appendNull() }
        guard appendArrayHeader(elementOID: TypeOID.int8, elementCount: numbers.count) else {
            return false
        }
        for number in numbers { putField(number) }
        return true
    }

    /// double precision[] of one member of each quantile, NULL where there are none.
    mutating func appendField(
        _ quantiles: MessageList<QuantileValueView>, member: (QuantileValueView) -> Double
    ) -> Bool {
        guard !quantiles.isEmpty else { return appendNull() }
        guard appendArrayHeader(elementOID: TypeOID.float8, elementCount: quantiles.count) else {
            return false
        }
        for quantile in quantiles { putField(member(quantile)) }
        return true
    }

    /// Starts an array of 8-byte elements, and reserves room for all of them.
    private mutating func appendArrayHeader(elementOID: Int32, elementCount: Int) -> Bool {
        let sizeBytes =
            CopyBuffer.arrayHeaderSizeBytes + elementCount * CopyBuffer.fieldSizeBytesMax
        guard reserve(CopyBuffer.lengthSizeBytes + sizeBytes) else { return false }
        putBigEndian(Int32(sizeBytes))
        putBigEndian(1 as Int32)
        putBigEndian(0 as Int32)
        putBigEndian(elementOID)
        putBigEndian(Int32(elementCount))
        putBigEndian(1 as Int32)
        return true
    }
}

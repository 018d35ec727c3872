// SPDX-License-Identifier: Apache-2.0
package import Base

/// PostgreSQL types that parameters are sent as, by their fixed object ids (pg_type.dat).
package enum ParameterType: UInt32, Sendable {
    case bool = 16
    case bytea = 17
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    case float8 = 701

    var arrayID: UInt32 {
        switch self {
        case .bool: 1_000
        case .bytea: 1_001
        case .int8: 1_016
        case .int2: 1_005
        case .int4: 1_007
        case .text: 1_009
        case .float8: 1_022
        }
    }
}

/// The parameters `$1`, `$2`, ... of one statement, in PostgreSQL's binary format.
///
/// Ownership: copies what it is given. Cost: allocates; for statements per batch, not per row.
package struct QueryParameters: Sendable {
    struct Entry {
        let typeID: UInt32
        let offset: Int
        /// -1 for NULL.
        let sizeBytes: Int
    }

    /// Begins with a byte of no meaning, so that even an empty value has an address: to libpq, no
    /// address is NULL.
    private(set) var bytes: [UInt8] = [0]
    private(set) var entries: [Entry] = []

    package init() {}

    package init(_ arrays: [ArrayParameter]) {
        for array in arrays { append(array) }
    }

    package mutating func append(_ value: Int64) {
        appendEntry(.int8) { $0.appendBigEndian(value) }
    }

    package mutating func append(_ value: Int32) {
        appendEntry(.int4) { $0.appendBigEndian(value) }
    }

    package mutating func append(_ value: String) {
        appendEntry(.text) { $0.append(contentsOf: value.utf8) }
    }

    package mutating func append(_ value: Double) {
        appendEntry(.float8) { $0.appendBigEndian(value.bitPattern) }
    }

    package mutating func append(_ value: Bool) {
        appendEntry(.bool) { $0.append(value ? 1 : 0) }
    }

    package mutating func append(_ value: ByteSlice, as type: ParameterType) {
        appendEntry(type) { unsafe $0.append(contentsOf: value.buffer) }
    }

    /// As bytea.
    package mutating func append(_ value: [UInt8]) {
        appendEntry(.bytea) { $0.append(contentsOf: value) }
    }

    package mutating func appendNull(_ type: ParameterType) {
        entries.append(Entry(typeID: type.rawValue, offset: bytes.count, sizeBytes: -1))
    }

    package mutating func append(_ array: ArrayParameter) {
        let offset = bytes.count
        array.write(to: &bytes)
        entries.append(
            Entry(typeID: array.type.arrayID, offset: offset, sizeBytes: bytes.count - offset))
    }

    private mutating func appendEntry(_ type: ParameterType, _ write: (inout [UInt8]) -> Void) {
        let offset = bytes.count
        write(&bytes)
        entries.append(
            Entry(typeID: type.rawValue, offset: offset, sizeBytes: bytes.count - offset))
    }
}

/// A one-dimensional array, filled element by element.
package struct ArrayParameter: Sendable {
    package let type: ParameterType
    package private(set) var count = 0
    private var hasNull = false
    private var elements: [UInt8] = []

    package init(_ type: ParameterType) { self.type = type }

    /// Bytes of the elements, with their lengths.
    package var sizeBytes: Int { elements.count }

    package mutating func append(_ value: Int64?) {
        precondition(type == .int8)
        append(value) { $0.appendBigEndian($1) }
    }

    package mutating func append(_ value: Int32?) {
        precondition(type == .int4)
        append(value) { $0.appendBigEndian($1) }
    }

    package mutating func append(_ value: Int16?) {
        precondition(type == .int2)
        append(value) { $0.appendBigEndian($1) }
    }

    package mutating func append(_ value: Double?) {
        precondition(type == .float8)
        append(value) { $0.appendBigEndian($1.bitPattern) }
    }

    package mutating func append(_ value: Bool?) {
        precondition(type == .bool)
        append(value) { $0.append($1 ? 1 : 0) }
    }

    package mutating func append(_ value: ByteSlice?) {
        precondition(type == .text || type == .bytea)
        append(value) { bytes, slice in unsafe bytes.append(contentsOf: slice.buffer) }
    }

    package mutating func append(_ value: [UInt8]?) {
        precondition(type == .text || type == .bytea)
        append(value) { $0.append(contentsOf: $1) }
    }

    package mutating func append(_ value: String?) {
        precondition(type == .text)
        append(value) { $0.append(contentsOf: $1.utf8) }
    }

    private mutating func append<Value>(_ value: Value?, _ write: (inout [UInt8], Value) -> Void) {
        count += 1
        guard let value else {
            hasNull = true
            elements.appendBigEndian(Int32(-1))
            return
        }
        let lengthOffset = elements.count
        elements.appendBigEndian(Int32(0))
        write(&elements, value)
        let sizeBytes = Int32(elements.count - lengthOffset - 4)
        unsafe withUnsafeBytes(of: sizeBytes.bigEndian) { length in
            unsafe elements.replaceSubrange(lengthOffset..<lengthOffset + 4, with: length)
        }
    }

    /// The format of array_recv(): dimensions, null flag, element type, length, lower bound,
    /// elements.
    fileprivate func write(to bytes: inout [UInt8]) {
        bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
        bytes.appendBigEndian(Int32(hasNull ? 1 : 0))
        bytes.appendBigEndian(type.rawValue)
        guard count > 0 else { return }
        bytes.appendBigEndian(Int32(count))
        bytes.appendBigEndian(Int32(1))
        bytes.append(contentsOf: elements)
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The short cut for attributes, of which a request mostly consists.
///
/// Every encoder writes an attribute as key, value; and most are below 128 bytes with a scalar
/// value, so that the whole nest of three messages has one shape. Whatever has another shape takes
/// the general way.
extension ScanContext {
    /// Whether the `KeyValue` at `start` of `count` bytes has the usual shape, in which case there
    /// is nothing wrong with it.
    @inline(__always)
    func isUsualPair(_ start: UnsafeRawPointer, count: Int, anyValueDepth: UInt8) -> Bool {
        // Tag and length of the key, then of the value.
        guard count >= 4, unsafe start.byte(0) == PairTag.key else { return false }
        let keyCount = unsafe Int(start.byte(1))
        let valueOffset = 4 &+ keyCount
        guard valueOffset <= count,
            unsafe start.byte(valueOffset &- 2) == PairTag.value,
            unsafe Int(start.byte(valueOffset &- 1)) == count &- valueOffset,
            // Two lengths of one byte each: no continuation bit.
            keyCount | (count &- valueOffset) < 0x80,
            anyValueDepth < limits.anyValueDepthMax,
            unsafe isPlain(start + 2, count: keyCount)
        else { return false }
        return unsafe isScalar(start + valueOffset, count: count &- valueOffset)
    }

    /// Whether the `AnyValue` at `start` is one scalar and nothing else. `count` is below 128.
    @inline(__always)
    private func isScalar(_ start: UnsafeRawPointer, count: Int) -> Bool {
        guard count >= 2 else { return false }
        switch unsafe start.byte(0) {
        case PairTag.stringValue:
            return unsafe Int(start.byte(1)) == count &- 2
                && isPlain(start + 2, count: count &- 2)
        case PairTag.boolValue, PairTag.intValue:
            let sizeBytes = unsafe WireNumber.varintSizeBytes(start + 1, end: start + count)
            return sizeBytes == count &- 1
        case PairTag.doubleValue:
            return count == 9
        default:
            return false
        }
    }
}

/// Tag bytes (field number and wire type) of `KeyValue` and `AnyValue`; the tests compare them with
/// the schema.
enum PairTag {
    static let key: UInt8 = 1 << 3 | 2
    static let value: UInt8 = 2 << 3 | 2
    static let stringValue: UInt8 = 1 << 3 | 2
    static let boolValue: UInt8 = 2 << 3 | 0
    static let intValue: UInt8 = 3 << 3 | 0
    static let doubleValue: UInt8 = 4 << 3 | 1
}

extension UnsafeRawPointer {
    @inline(__always)
    fileprivate func byte(_ offset: Int) -> UInt8 {
        unsafe load(fromByteOffset: offset, as: UInt8.self)
    }
}

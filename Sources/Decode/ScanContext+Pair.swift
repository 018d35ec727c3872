// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The short cut for attributes, of which a request mostly consists.
///
/// Every encoder writes an attribute as key, value; and most are below 128 bytes with a scalar
/// value, so that the whole nest of three messages has one shape. Whatever has another shape takes
/// the general way.
extension ScanContext {
    /// Bytes of arena for the `KeyValue` at `start` of `count` bytes, or 0 when it has not the
    /// usual shape.
    @inline(__always)
    func pairSizeBytes(_ start: UnsafeRawPointer, count: Int, anyValueDepth: UInt8) -> Int {
        // Tag and length of the key, then of the value.
        guard count >= 4, unsafe start.byte(0) == PairTag.key else { return 0 }
        let keyCount = unsafe Int(start.byte(1))
        let valueOffset = 4 &+ keyCount
        guard valueOffset <= count,
            unsafe start.byte(valueOffset &- 2) == PairTag.value,
            unsafe Int(start.byte(valueOffset &- 1)) == count &- valueOffset,
            // Two lengths of one byte each: no continuation bit.
            keyCount | (count &- valueOffset) < 0x80,
            anyValueDepth < limits.anyValueDepthMax,
            unsafe isPlain(start + 2, count: keyCount)
        else { return 0 }
        let copiedSizeBytes = unsafe scalarSizeBytes(
            start + valueOffset, count: count &- valueOffset)
        guard copiedSizeBytes >= 0 else { return 0 }
        return pairStructsSizeBytes &+ UnpackModel.rounded(keyCount) &+ copiedSizeBytes
    }

    /// Bytes of arena for the contents of the `AnyValue` at `start`, its struct excluded, or a
    /// negative number when it is anything but one scalar. `count` is below 128.
    @inline(__always)
    private func scalarSizeBytes(_ start: UnsafeRawPointer, count: Int) -> Int {
        guard count >= 2 else { return -1 }
        switch unsafe start.byte(0) {
        case PairTag.stringValue:
            guard unsafe Int(start.byte(1)) == count &- 2,
                unsafe isPlain(start + 2, count: count &- 2)
            else { return -1 }
            return UnpackModel.rounded(count &- 2)
        case PairTag.boolValue, PairTag.intValue:
            let sizeBytes = unsafe WireNumber.varintSizeBytes(start + 1, end: start + count)
            return sizeBytes == count &- 1 ? 0 : -1
        case PairTag.doubleValue:
            return count == 9 ? 0 : -1
        default:
            return -1
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

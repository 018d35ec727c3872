// SPDX-License-Identifier: Apache-2.0

/// A message that is being scanned.
@safe
struct ScanFrame: BitwiseCopyable {
    let end: UnsafeRawPointer
    /// The rules of its type, by field number.
    let rules: UnsafePointer<FieldRule>
    /// Fields so far, in all; attributes and unknown fields among them.
    var memberCount: UInt32 = 0
    var attributeCount: UInt32 = 0
    var unknownCount: UInt32 = 0
    /// Bits of the singular sub-messages that have occurred.
    var seenSingulars: UInt8 = 0
    /// Bits of the repeated fields of which there is an odd number so far.
    var oddRepeated: UInt8 = 0
    /// Where a text fault is noted.
    var level = FaultLevel.resource
    /// Levels of AnyValue, this message included.
    var anyValueDepth: UInt8 = 0
    /// Bytes of arena up to its end, where it stays as it is on the wire and nothing in it costs
    /// anything; below 0 elsewhere.
    var wireSizeBytes = -1
}

/// Where the scan is, and what it has counted. Lives in registers: it is a local of the scan's
/// loop, and only inlined functions get hold of it.
@safe
struct ScanState: BitwiseCopyable {
    var at: UnsafeRawPointer
    var frame: ScanFrame
    /// How many messages are around `frame`.
    var depth = 0
    /// Bytes of arena so far.
    var sizeBytes = 0

    /// Accounts for `count` more elements of 8 bytes in the array of a repeated field. The arrays
    /// of a message are rounded up to 16 bytes each, so only whether a count is odd has to be
    /// known.
    @inline(__always)
    mutating func addElements(_ count: Int, _ rule: FieldRule) {
        let wasOdd = frame.oddRepeated & rule.bit != 0 ? 1 : 0
        let isOdd = (wasOdd &+ count) & 1
        if isOdd != wasOdd { frame.oddRepeated ^= rule.bit }
        sizeBytes &+= UnpackModel.repeatedElementSizeBytes &* (count &+ isOdd &- wasOdd)
    }

    /// Accounts for one more message that stays on the wire, of which there are several.
    @inline(__always)
    mutating func addWireMessage(sizeBytes copiedSizeBytes: Int) {
        sizeBytes &+=
            UnpackModel.repeatedBytesElementSizeBytes &+ UnpackModel.rounded(copiedSizeBytes)
    }

    /// Accounts for the copy of an unknown field, length prefix included.
    @inline(__always)
    mutating func addUnknown(sizeBytes copiedSizeBytes: Int) {
        frame.unknownCount &+= 1
        sizeBytes &+= UnpackModel.rounded(copiedSizeBytes)
    }

    /// Accounts for what a message costs beyond its struct and its fields, now that they are
    /// counted.
    @inline(__always)
    mutating func addClosingCosts(_ model: UnpackModel) {
        if frame.wireSizeBytes >= 0 {
            sizeBytes = frame.wireSizeBytes
            return
        }
        let memberCount = Int(frame.memberCount)
        if memberCount > model.stackMemberCount {
            sizeBytes &+= model.slabSizeBytes(memberCount: memberCount)
        }
        if frame.unknownCount > 0 {
            sizeBytes &+= UnpackModel.unknownFieldsSizeBytes(count: Int(frame.unknownCount))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One field of a message.
extension WireScan {
    /// Scans the field at `state.at`, up to where the next one begins or, for a sub-message, its first field.
    @inline(__always)
    mutating func scanField(_ state: inout ScanState) throws(DecodeError) {
        let fieldStart = unsafe state.at
        let tag = unsafe WireNumber.prefix(fieldStart, end: state.frame.end)
        let number = tag.value &>> 3
        guard tag.sizeBytes > 0, number > 0 else { throw unsafe malformed(.tag, at: fieldStart) }
        unsafe state.at = fieldStart + tag.sizeBytes
        state.frame.memberCount &+= 1
        let rule =
            number < WireGrammar.fieldNumberEnd ? unsafe state.frame.rules[number] : .unknown
        if tag.value & 7 == WireType.lengthDelimited {
            try scanLengthDelimited(rule, &state)
        } else {
            try scanNumber(rule, wireType: UInt8(truncatingIfNeeded: tag.value & 7), &state)
        }
    }

    @inline(__always)
    private mutating func scanLengthDelimited(
        _ rule: FieldRule, _ state: inout ScanState
    ) throws(DecodeError) {
        let valueStart = unsafe state.at
        let length = unsafe WireNumber.prefix(valueStart, end: state.frame.end)
        guard length.sizeBytes > 0 else { throw unsafe malformed(.length, at: valueStart) }
        let start = unsafe valueStart + length.sizeBytes
        let count = length.value
        guard unsafe count <= state.frame.end - start else {
            throw unsafe malformed(.lengthBeyondEnd, at: valueStart)
        }
        let end = unsafe start + count
        switch rule.kind {
        case .text:
            unsafe state.at = end
            state.sizeBytes &+= UnpackModel.rounded(count)
            try unsafe checkText(start, count: count, level: state.frame.level)
        case .bytes:
            unsafe state.at = end
            state.sizeBytes &+= UnpackModel.rounded(count)
        case .repeatedMessage:
            state.addElements(1, rule)
            if rule.child == grammar.keyValue {
                try countAttribute(&state)
                let pairSizeBytes = unsafe pairSizeBytes(start, count: count, state.frame)
                if pairSizeBytes > 0 {
                    unsafe state.at = end
                    state.sizeBytes &+= pairSizeBytes
                    return
                }
            }
            unsafe state.at = start
            try unsafe open(rule.child, end: end, &state)
        case .message:
            guard state.frame.seenSingulars & rule.bit == 0 else {
                throw unsafe malformed(.repeatedSingular, at: valueStart)
            }
            state.frame.seenSingulars |= rule.bit
            unsafe state.at = start
            try unsafe open(rule.child, end: end, &state)
        case .repeatedText:
            unsafe state.at = end
            state.sizeBytes &+= UnpackModel.repeatedTextElementSizeBytes &+ UnpackModel.rounded(count)
            try unsafe checkText(start, count: count, level: state.frame.level)
        case .repeatedFixed64:
            unsafe state.at = end
            guard count & 7 == 0 else { throw unsafe malformed(.packedLength, at: valueStart) }
            state.addElements(count &>> 3, rule)
        case .repeatedVarint:
            unsafe state.at = end
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
            guard let elementCount = unsafe WireNumber.packedVarintCount(bytes) else {
                throw unsafe malformed(.varint, at: valueStart)
            }
            state.addElements(elementCount, rule)
        case .unknown:
            unsafe state.at = end
            state.addUnknown(sizeBytes: length.sizeBytes &+ count)
        case .varint, .fixed32, .fixed64:
            throw unsafe malformed(.wireType, at: valueStart)
        }
    }

    @inline(__always)
    private func scanNumber(
        _ rule: FieldRule, wireType: UInt8, _ state: inout ScanState
    ) throws(DecodeError) {
        let start = unsafe state.at
        let sizeBytes: Int
        switch Int(wireType) {
        case WireType.varint:
            sizeBytes = unsafe WireNumber.varintSizeBytes(start, end: state.frame.end)
            guard sizeBytes > 0 else { throw unsafe malformed(.varint, at: start) }
        case WireType.fixed64: sizeBytes = 8
        case WireType.fixed32: sizeBytes = 4
        default: throw unsafe malformed(.group, at: start)
        }
        guard unsafe sizeBytes <= state.frame.end - start else {
            throw unsafe malformed(.fixedBeyondEnd, at: start)
        }
        unsafe state.at = start + sizeBytes
        if wireType == rule.wireType { return }
        switch (rule.kind, Int(wireType)) {
        case (.unknown, _): state.addUnknown(sizeBytes: sizeBytes)
        case (.repeatedFixed64, WireType.fixed64), (.repeatedVarint, WireType.varint):
            state.addElements(1, rule)
        default: throw unsafe malformed(.wireType, at: start)
        }
    }

    @inline(__always)
    private func countAttribute(_ state: inout ScanState) throws(DecodeError) {
        state.frame.attributeCount &+= 1
        guard state.frame.attributeCount <= limits.attributeCountMax else {
            throw unsafe tooManyAttributes(state.at)
        }
    }

    @inline(__always)
    private mutating func checkText(
        _ start: UnsafeRawPointer, count: Int, level: FaultLevel
    ) throws(DecodeError) {
        let bodyEnd = unsafe body.baseAddress.unsafelyUnwrapped + body.count
        guard unsafe !TextCheck.isPlain(start, count: count, readableEnd: bodyEnd) else { return }
        try unsafe checkUnusualText(UnsafeRawBufferPointer(start: start, count: count), level: level)
    }

    @inline(never)
    private mutating func checkUnusualText(
        _ bytes: UnsafeRawBufferPointer, level: FaultLevel
    ) throws(DecodeError) {
        guard let fault = unsafe TextCheck.fault(in: bytes) else { return }
        let ordinal = openedCounts[Int(level.rawValue)] - 1
        guard faults.note(fault, level: level, ordinal: ordinal) else { throw .overBudget }
    }
}

extension ScanState {
    /// Accounts for `count` more elements of 8 bytes in the array of a repeated field. The arrays of a message
    /// are rounded up to 16 bytes each, so only whether a count is odd has to be known.
    @inline(__always)
    mutating func addElements(_ count: Int, _ rule: FieldRule) {
        let wasOdd = frame.oddRepeated & rule.bit != 0 ? 1 : 0
        let isOdd = (wasOdd &+ count) & 1
        if isOdd != wasOdd { frame.oddRepeated ^= rule.bit }
        sizeBytes &+= UnpackModel.repeatedElementSizeBytes &* (count &+ isOdd &- wasOdd)
    }

    /// Accounts for the copy of an unknown field, length prefix included.
    @inline(__always)
    mutating func addUnknown(sizeBytes copiedSizeBytes: Int) {
        frame.unknownCount &+= 1
        sizeBytes &+= UnpackModel.rounded(copiedSizeBytes)
    }
}

/// Wire types of the protobuf encoding. 3 and 4 are groups, 6 and 7 are not defined.
enum WireType {
    static let varint = 0
    static let fixed64 = 1
    static let lengthDelimited = 2
    static let fixed32 = 5
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One field of a message.
extension WireScan {
    /// Scans the field at `state.at`, up to where the next one begins or, for a sub-message, its
    /// first field.
    @inline(__always)
    mutating func scanField(_ context: ScanContext, _ state: inout ScanState) throws(DecodeError) {
        let fieldStart = unsafe state.at
        let tag = unsafe WireNumber.prefix(fieldStart, end: state.frame.end)
        let number = tag.value &>> 3
        guard tag.sizeBytes > 0, number > 0 else {
            throw unsafe context.malformed(.tag, at: fieldStart)
        }
        unsafe state.at = fieldStart + tag.sizeBytes
        state.frame.memberCount &+= 1
        let rule =
            number < WireGrammar.fieldNumberEnd ? unsafe state.frame.rules[number] : .unknown
        if tag.value & 7 == WireType.lengthDelimited {
            try scanLengthDelimited(rule, context, &state)
        } else {
            try scanNumber(
                rule, wireType: UInt8(truncatingIfNeeded: tag.value & 7), context, &state)
        }
    }

    @inline(__always)
    private mutating func scanLengthDelimited(
        _ rule: FieldRule, _ context: ScanContext, _ state: inout ScanState
    ) throws(DecodeError) {
        let valueStart = unsafe state.at
        let length = unsafe WireNumber.prefix(valueStart, end: state.frame.end)
        guard length.sizeBytes > 0 else { throw unsafe context.malformed(.length, at: valueStart) }
        let start = unsafe valueStart + length.sizeBytes
        let count = length.value
        guard unsafe count <= state.frame.end - start else {
            throw unsafe context.malformed(.lengthBeyondEnd, at: valueStart)
        }
        let end = unsafe start + count
        switch rule.kind {
        case .text:
            unsafe state.at = end
            state.sizeBytes &+= UnpackModel.rounded(count)
            try unsafe checkText(start, count: count, context, level: state.frame.level)
        case .bytes:
            unsafe state.at = end
            state.sizeBytes &+= UnpackModel.rounded(count)
        case .repeatedMessage:
            state.addElements(1, rule)
            if rule.child == context.keyValue,
                try unsafe passPair(start, count: count, context, &state)
            {
                return
            }
            try unsafe open(rule.child, start, end, context, &state)
        case .repeatedWireMessage:
            state.addWireMessage(sizeBytes: count)
            if try unsafe passPair(start, count: count, context, &state) { return }
            try unsafe openOnWire(rule.child, start, end, context, &state)
        case .wireMessage:
            guard state.frame.seenSingulars & rule.bit == 0 else {
                throw unsafe context.malformed(.repeatedSingular, at: valueStart)
            }
            state.frame.seenSingulars |= rule.bit
            state.sizeBytes &+= UnpackModel.rounded(count)
            try unsafe openOnWire(rule.child, start, end, context, &state)
        case .message:
            guard state.frame.seenSingulars & rule.bit == 0 else {
                throw unsafe context.malformed(.repeatedSingular, at: valueStart)
            }
            state.frame.seenSingulars |= rule.bit
            try unsafe open(rule.child, start, end, context, &state)
        case .repeatedText:
            unsafe state.at = end
            state.sizeBytes &+=
                UnpackModel.repeatedBytesElementSizeBytes &+ UnpackModel.rounded(count)
            try unsafe checkText(start, count: count, context, level: state.frame.level)
        case .repeatedFixed64, .repeatedVarint:
            unsafe state.at = end
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
            try unsafe state.addElements(packedCount(bytes, rule, context), rule)
        case .unknown:
            unsafe state.at = end
            state.addUnknown(sizeBytes: length.sizeBytes &+ count)
        case .varint, .fixed32, .fixed64:
            throw unsafe context.malformed(.wireType, at: valueStart)
        }
    }

    /// Counts a `KeyValue`, and goes past it if it has the usual shape; false where it has not.
    @inline(__always)
    private func passPair(
        _ start: UnsafeRawPointer, count: Int, _ context: ScanContext, _ state: inout ScanState
    ) throws(DecodeError) -> Bool {
        state.frame.attributeCount &+= 1
        guard state.frame.attributeCount <= context.limits.attributeCountMax else {
            throw unsafe context.tooManyAttributes(start)
        }
        guard
            unsafe context.isUsualPair(
                start, count: count, anyValueDepth: state.frame.anyValueDepth)
        else { return false }
        unsafe state.at = start + count
        return true
    }

    /// Enters a sub-message that stays on the wire, and is accounted for as bytes.
    @inline(__always)
    private mutating func openOnWire(
        _ child: UInt8, _ start: UnsafeRawPointer, _ end: UnsafeRawPointer, _ context: ScanContext,
        _ state: inout ScanState
    ) throws(DecodeError) {
        let sizeBytes = state.sizeBytes
        try unsafe open(child, start, end, context, &state)
        state.frame.wireSizeBytes = sizeBytes
    }

    @inline(__always)
    private mutating func scanNumber(
        _ rule: FieldRule, wireType: UInt8, _ context: ScanContext, _ state: inout ScanState
    ) throws(DecodeError) {
        let start = unsafe state.at
        let sizeBytes: Int
        switch Int(wireType) {
        case WireType.varint:
            sizeBytes = unsafe WireNumber.varintSizeBytes(start, end: state.frame.end)
            guard sizeBytes > 0 else { throw unsafe context.malformed(.varint, at: start) }
        case WireType.fixed64: sizeBytes = 8
        case WireType.fixed32: sizeBytes = 4
        default: throw unsafe context.malformed(.group, at: start)
        }
        guard unsafe sizeBytes <= state.frame.end - start else {
            throw unsafe context.malformed(.fixedBeyondEnd, at: start)
        }
        unsafe state.at = start + sizeBytes
        if wireType == rule.wireType { return }
        switch (rule.kind, Int(wireType)) {
        case (.unknown, _): state.addUnknown(sizeBytes: sizeBytes)
        case (.repeatedFixed64, WireType.fixed64), (.repeatedVarint, WireType.varint):
            state.addElements(1, rule)
        default: throw unsafe context.malformed(.wireType, at: start)
        }
    }

    /// How many numbers are packed in `bytes`.
    @inline(__always)
    private mutating func packedCount(
        _ bytes: UnsafeRawBufferPointer, _ rule: FieldRule, _ context: ScanContext
    ) throws(DecodeError) -> Int {
        let start = unsafe bytes.baseAddress.unsafelyUnwrapped
        guard rule.kind == .repeatedVarint else {
            guard bytes.count & 7 == 0 else {
                throw unsafe context.malformed(.packedLength, at: start)
            }
            return bytes.count &>> 3
        }
        guard let count = unsafe WireNumber.packedVarintCount(bytes) else {
            throw unsafe context.malformed(.varint, at: start)
        }
        return count
    }

    @inline(__always)
    private mutating func checkText(
        _ start: UnsafeRawPointer, count: Int, _ context: ScanContext, level: FaultLevel
    ) throws(DecodeError) {
        if unsafe context.isPlain(start, count: count) { return }
        try unsafe checkUnusualText(
            UnsafeRawBufferPointer(start: start, count: count), level: level)
    }
}

/// Wire types of the protobuf encoding. 3 and 4 are groups, 6 and 7 are not defined.
enum WireType {
    static let varint = 0
    static let fixed64 = 1
    static let lengthDelimited = 2
    static let fixed32 = 5
}

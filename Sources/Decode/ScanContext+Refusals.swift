// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What makes bytes not a protobuf message of the schema, or not one that may be unpacked.
enum WireFault: String {
    case tag = "no valid field tag"
    case group = "a field of a wire type that is not supported (groups, 6, 7)"
    case varint = "a varint that does not end"
    case fixedBeyondEnd = "a number that is cut off"
    case length = "no valid length"
    case lengthBeyondEnd = "a length beyond the end of its message"
    case packedLength = "packed numbers that are cut off"
    case wireType = "a known field of the wrong wire type"
    case repeatedSingular = "a second value of a field that is not repeated"
}

/// The ways in which a scan ends early. All of them are cold, hence never inlined.
extension ScanContext {
    @inline(never)
    func malformed(_ fault: WireFault, at place: UnsafeRawPointer) -> DecodeError {
        let offset = unsafe offset(of: place)
        return .refused(
            Refusal(
                .invalidArgument, "not a valid OTLP message: \(fault.rawValue) at byte \(offset)"))
    }

    @inline(never)
    func tooDeep(_ place: UnsafeRawPointer) -> DecodeError {
        let offset = unsafe offset(of: place)
        return .refused(
            Refusal(
                .invalidArgument,
                "values nest deeper than \(limits.anyValueDepthMax) levels at byte \(offset)"
            ))
    }

    @inline(never)
    func tooManyAttributes(_ place: UnsafeRawPointer) -> DecodeError {
        let offset = unsafe offset(of: place)
        return .refused(
            Refusal(
                .invalidArgument,
                "more than \(limits.attributeCountMax) attributes of one owner at byte \(offset)"))
    }

    @inline(never)
    func tooManyItems() -> DecodeError {
        .refused(
            Refusal(.invalidArgument, "more than \(limits.itemCountMax) items in one request"))
    }

    @inline(never)
    func tooLarge() -> DecodeError {
        .refused(
            Refusal(
                .tooLarge, "the request unpacks to more than \(limits.unpackedSizeBytesMax) bytes"))
    }

    private func offset(of place: UnsafeRawPointer) -> Int {
        unsafe place - bodyStart
    }
}

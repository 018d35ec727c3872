// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The pre-scan: one pass over the wire bytes of a request, before anything is allocated for it.
///
/// protobuf-c recurses without a limit, merges repeated singular messages in quadratic time and multiplies
/// memory more than a hundredfold, so nothing reaches it that this scan has not accepted. The scan does not
/// recurse, reads each byte at most twice (structure, text), and is at least as strict as protobuf-c: what it
/// accepts unpacks, into exactly `unpackedSizeBytes` bytes of arena.
///
/// Beyond what protobuf-c refuses, these are refused: depth and counts over the limits; a singular sub-message
/// that occurs twice (the members of a oneof count as one); a bool of another wire type; field number 0; tags
/// and lengths of more than 32 bits. Text faults are only noted: they cost an item, not the request.
/// Cost: about 1 ns for each wire byte; nothing is allocated except for faults.
@safe
struct WireScan: ~Copyable {
    /// Bytes of arena that protobuf-c will take, the last piece rounded up.
    private(set) var unpackedSizeBytes = 0
    /// Text faults, by level and ordinal.
    var faults: ItemFaults

    let body: UnsafeRawBufferPointer
    let limits: DecodeLimits
    let grammar: WireGrammar
    /// Messages opened so far, by `FaultLevel`.
    var openedCounts = InlineArray<4, Int>(repeating: 0)
    /// The messages around the one that is being scanned, outermost first. Gone after the scan.
    let outer: UnsafeMutableBufferPointer<ScanFrame>

    /// Levels of messages from the request down to an exemplar's attribute, none of them an AnyValue.
    private static let outerDepthMax = 8
    /// Levels of messages for each level of AnyValue: the value, its list, and the pair in the list.
    private static let depthPerAnyValue = 3

    /// Scans the whole of `body`, which is borrowed for the call. Throws the first thing that is wrong with it.
    static func scan(
        _ body: ByteSlice, signal: Signal, limits: DecodeLimits, budget: MemoryBudget
    ) throws(DecodeError) -> WireScan {
        precondition(limits.anyValueDepthMax <= Limits.anyValueDepthMax)
        let depthMax = outerDepthMax + depthPerAnyValue * limits.anyValueDepthMax
        return try unsafe withUnsafeTemporaryAllocation(of: ScanFrame.self, capacity: depthMax) {
            outer throws(DecodeError) in
            var scan = unsafe WireScan(body.buffer, limits: limits, budget: budget, outer: outer)
            try scan.run(root: WireGrammar.shared.rootIndex(signal))
            return scan
        }
    }

    private init(
        _ body: UnsafeRawBufferPointer, limits: DecodeLimits, budget: MemoryBudget,
        outer: UnsafeMutableBufferPointer<ScanFrame>
    ) {
        unsafe self.body = body
        self.limits = limits
        grammar = .shared
        faults = ItemFaults(budget: budget)
        unsafe self.outer = outer
    }

    /// Spans, log records or data points.
    var itemCount: Int { openedCounts[Int(FaultLevel.item.rawValue)] }

    private mutating func run(root: UInt8) throws(DecodeError) {
        let frame = unsafe ScanFrame(end: body.endOrNowhere, rules: grammar.rules(root))
        let structSizeBytes = unsafe Int(grammar.messages[Int(root)].structSizeBytes)
        // In a local, so that it lives in registers.
        var state = unsafe ScanState(
            at: body.startOrNowhere, frame: frame, depth: 0, sizeBytes: structSizeBytes)
        while true {
            while unsafe state.at < state.frame.end { try scanField(&state) }
            try close(&state)
            guard state.depth > 0 else { break }
            state.depth &-= 1
            unsafe state.frame = outer[state.depth]
        }
        unpackedSizeBytes = state.sizeBytes
    }

    /// Enters a sub-message of type `child`, which ends at `end`.
    @inline(__always)
    mutating func open(
        _ child: UInt8, end: UnsafeRawPointer, _ state: inout ScanState
    ) throws(DecodeError) {
        let message = unsafe grammar.messages[Int(child)]
        state.sizeBytes &+= Int(message.structSizeBytes)
        unsafe outer[state.depth] = state.frame
        state.depth &+= 1
        let parent = state.frame
        unsafe state.frame = ScanFrame(end: end, rules: grammar.rules(child))
        state.frame.level = parent.level
        state.frame.anyValueDepth = parent.anyValueDepth
        switch message.role {
        case .plain:
            break
        case .anyValue:
            state.frame.anyValueDepth &+= 1
            guard state.frame.anyValueDepth <= limits.anyValueDepthMax else {
                throw unsafe tooDeep(state.at)
            }
        case .opens(let level):
            state.frame.level = level
            openedCounts[Int(level.rawValue)] &+= 1
            guard level != .item || itemCount <= limits.itemCountMax else { throw tooManyItems() }
        }
    }

    /// Adds what a message costs beyond its struct and the contents of its fields.
    @inline(__always)
    private func close(_ state: inout ScanState) throws(DecodeError) {
        let memberCount = Int(state.frame.memberCount)
        if memberCount > grammar.unpackModel.stackMemberCount {
            state.sizeBytes &+= grammar.unpackModel.slabSizeBytes(memberCount: memberCount)
        }
        if state.frame.unknownCount > 0 {
            state.sizeBytes &+= UnpackModel.unknownFieldsSizeBytes(count: Int(state.frame.unknownCount))
        }
        guard state.sizeBytes <= limits.unpackedSizeBytesMax else { throw tooLarge() }
    }
}

/// Where the scan is. Copied into a local of `run`, and passed to inlined functions only.
@safe
struct ScanState: BitwiseCopyable {
    var at: UnsafeRawPointer
    var frame: ScanFrame
    /// How many messages are around `frame`.
    var depth: Int
    /// Bytes of arena so far.
    var sizeBytes: Int
}

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
}

extension UnsafeRawBufferPointer {
    /// The address of the first byte; of no bytes, one that is never read.
    fileprivate var startOrNowhere: UnsafeRawPointer {
        unsafe baseAddress ?? UnsafeRawPointer(bitPattern: Arena.alignmentBytes)!
    }

    fileprivate var endOrNowhere: UnsafeRawPointer { unsafe startOrNowhere + count }
}

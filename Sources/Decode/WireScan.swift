// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The pre-scan: one pass over the wire bytes of a request, before anything is allocated for it.
///
/// protobuf-c recurses without a limit, merges repeated singular messages in quadratic time and
/// multiplies memory more than a hundredfold, so nothing reaches it that this scan has not
/// accepted. The scan does not recurse, reads each byte at most twice (structure, text), and is at
/// least as strict as protobuf-c: what it accepts unpacks, into exactly `unpackedSizeBytes` bytes
/// of arena.
///
/// Beyond what protobuf-c refuses, these are refused: depth and counts over the limits; a singular
/// sub-message that occurs twice (the members of a oneof count as one); a bool of another wire
/// type; field number 0; tags and lengths of more than 32 bits. Text faults are only noted: they
/// cost an item, not the request.
/// Cost: 0.3 ns for each byte of a typical request; 8 ns for each byte of one that consists of
/// empty messages. Allocates nothing but its stack of frames, and a list of faults when there are
/// any.
struct WireScan: ~Copyable {
    /// Bytes of arena that protobuf-c will take, the last piece rounded up.
    private(set) var unpackedSizeBytes = 0
    /// Text faults, by level and ordinal.
    var faults: ItemFaults
    /// Messages opened so far, by `FaultLevel`.
    private var openedCounts = InlineArray<4, Int>(repeating: 0)

    /// Scans the whole of `body`, which is borrowed for the call. Throws the first thing that is
    /// wrong with it.
    static func scan(
        _ body: ByteSlice, signal: Signal, limits: DecodeLimits, budget: MemoryBudget
    ) throws(DecodeError) -> WireScan {
        let grammar = WireGrammar.shared
        let depthMax = ScanContext.depthMax(limits)
        return try unsafe withUnsafeTemporaryAllocation(of: ScanFrame.self, capacity: depthMax) {
            outer throws(DecodeError) in
            let context = unsafe ScanContext(body, limits: limits, grammar: grammar, outer: outer)
            var scan = WireScan(faults: ItemFaults(budget: budget))
            try scan.run(context, root: grammar.rootIndex(signal))
            return scan
        }
    }

    private init(faults: consuming ItemFaults) { self.faults = faults }

    /// Spans, log records or data points.
    var itemCount: Int { openedCounts[Int(FaultLevel.item.rawValue)] }

    private mutating func run(_ context: ScanContext, root: UInt8) throws(DecodeError) {
        var state = context.start(root: root)
        while true {
            while unsafe state.at < state.frame.end { try scanField(context, &state) }
            state.addClosingCosts(context.model)
            guard state.sizeBytes <= context.limits.unpackedSizeBytesMax else {
                throw context.tooLarge()
            }
            guard state.depth > 0 else { break }
            state.depth &-= 1
            unsafe state.frame = context.outer[state.depth]
        }
        unpackedSizeBytes = state.sizeBytes
    }

    /// Enters a sub-message of type `child`, which lies between `start` and `end`.
    @inline(__always)
    mutating func open(
        _ child: UInt8, _ start: UnsafeRawPointer, _ end: UnsafeRawPointer, _ context: ScanContext,
        _ state: inout ScanState
    ) throws(DecodeError) {
        let message = unsafe context.messages[Int(child)]
        let (level, anyValueDepth) = (state.frame.level, state.frame.anyValueDepth)
        let wireSizeBytes = state.frame.wireSizeBytes
        unsafe context.outer[state.depth] = state.frame
        state.depth &+= 1
        unsafe state.at = start
        state.sizeBytes &+= Int(message.structSizeBytes)
        unsafe state.frame = ScanFrame(end: end, rules: context.rules(child))
        state.frame.level = level
        state.frame.anyValueDepth = anyValueDepth
        state.frame.wireSizeBytes = wireSizeBytes
        switch message.role {
        case .plain:
            break
        case .anyValue:
            guard anyValueDepth < context.limits.anyValueDepthMax else {
                throw unsafe context.tooDeep(start)
            }
            state.frame.anyValueDepth = anyValueDepth &+ 1
        case .opens(let level):
            state.frame.level = level
            openedCounts[Int(level.rawValue)] &+= 1
            guard level != .item || itemCount <= context.limits.itemCountMax else {
                throw context.tooManyItems()
            }
        }
    }

    /// Notes what is wrong with a text that is not plain, if anything is.
    @inline(never)
    mutating func checkUnusualText(
        _ bytes: UnsafeRawBufferPointer, level: FaultLevel
    ) throws(DecodeError) {
        guard let fault = unsafe TextCheck.fault(in: bytes) else { return }
        let ordinal = openedCounts[Int(level.rawValue)] - 1
        guard faults.note(fault, level: level, ordinal: ordinal) else { throw .overBudget }
    }
}

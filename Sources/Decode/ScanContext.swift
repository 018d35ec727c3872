// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What stays the same during a scan, in one flat value: the loop gets by without touching an
/// object.
@safe
struct ScanContext {
    let bodyStart: UnsafeRawPointer
    let bodyEnd: UnsafeRawPointer
    let limits: DecodeLimits
    /// From `WireGrammar`.
    let fields: UnsafePointer<FieldRule>
    let messages: UnsafePointer<MessageRule>
    let keyValue: UInt8
    let model: UnpackModel
    /// The messages around the one that is being scanned, outermost first.
    let outer: UnsafeMutableBufferPointer<ScanFrame>

    /// Levels of messages from the request down to an exemplar's attribute, none of them an
    /// AnyValue.
    private static let outerDepthMax = 8
    /// Levels of messages for each level of AnyValue: the value, its list, and the pair in the
    /// list.
    private static let depthPerAnyValue = 3

    /// Frames that `outer` must have room for.
    static func depthMax(_ limits: DecodeLimits) -> Int {
        precondition(limits.anyValueDepthMax <= Limits.anyValueDepthMax)
        return outerDepthMax + depthPerAnyValue * limits.anyValueDepthMax
    }

    /// `body` and `outer` are borrowed for the scan.
    init(
        _ body: ByteSlice, limits: DecodeLimits, grammar: WireGrammar,
        outer: UnsafeMutableBufferPointer<ScanFrame>
    ) {
        precondition(outer.count >= Self.depthMax(limits))
        // An empty body has no address; any will do for one that is never read.
        unsafe bodyStart = body.base ?? UnsafeRawPointer(grammar.fields)
        unsafe bodyEnd = bodyStart + body.count
        self.limits = limits
        unsafe fields = grammar.fields
        unsafe messages = grammar.messages
        keyValue = grammar.keyValue
        model = grammar.unpackModel
        unsafe self.outer = outer
    }

    /// The state before the first byte of a request of type `root`.
    func start(root: UInt8) -> ScanState {
        var state = unsafe ScanState(
            at: bodyStart, frame: ScanFrame(end: bodyEnd, rules: rules(root)))
        state.sizeBytes = unsafe Int(messages[Int(root)].structSizeBytes)
        return state
    }

    /// The rules of a message type, by field number.
    @inline(__always)
    func rules(_ messageIndex: UInt8) -> UnsafePointer<FieldRule> {
        unsafe fields + Int(messageIndex) &* WireGrammar.fieldNumberEnd
    }

    /// True when the text is ASCII without NUL, as nearly all is.
    @inline(__always)
    func isPlain(_ start: UnsafeRawPointer, count: Int) -> Bool {
        unsafe TextCheck.isPlain(start, count: count, readableEnd: bodyEnd)
    }
}

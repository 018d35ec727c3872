// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP

/// The schema in the form in which the pre-scan reads it: a small table per message type.
///
/// It is derived from the very descriptors by which protobuf-c unpacks, so that the two cannot
/// disagree about numbers, types and sizes. What the descriptors do not say (strings, attributes
/// and bodies are generated as bytes, and the meaning of the types is ours) is in the lists of
/// `WireGrammarBuilder`. Built once; immutable; lives as long as the process.
@safe
final class WireGrammar: @unchecked Sendable {
    /// Fields from this number on are not in the schema.
    static let fieldNumberEnd = 32
    static let shared = WireGrammar()

    /// `fieldNumberEnd` rules for each message type.
    let fields: UnsafePointer<FieldRule>
    let messages: UnsafePointer<MessageRule>
    let unpackModel: UnpackModel
    /// The index of `KeyValue` among `messages`.
    let keyValue: UInt8

    private let roots: [(descriptor: UnsafePointer<ProtobufCMessageDescriptor>, index: UInt8)]

    private init() {
        let rootDescriptors = unsafe Self.rootDescriptors()
        var builder = WireGrammarBuilder()
        unsafe roots = rootDescriptors.map { unsafe (descriptor: $0, index: builder.index(of: $0)) }
        builder.addFields()
        unsafe precondition(
            !builder.hasText(in: roots.map(unsafe \.index)), "a request has text of its own")
        unsafe fields = builder.copyFields()
        unsafe messages = builder.copyMessages()
        keyValue = builder.index(named: "KeyValue")
        unsafe unpackModel = UnpackModel(measuredWith: builder.descriptors[Int(keyValue)])
    }

    /// The descriptor of a signal's request, for protobuf-c.
    func rootDescriptor(_ signal: Signal) -> UnsafePointer<ProtobufCMessageDescriptor> {
        unsafe roots[Int(signal.rawValue)].descriptor
    }

    /// The index of a signal's request among `messages`.
    func rootIndex(_ signal: Signal) -> UInt8 { unsafe roots[Int(signal.rawValue)].index }

    /// In the order of `Signal`. An initialised message points to its descriptor; C constants have
    /// no address in Swift.
    private static func rootDescriptors() -> [UnsafePointer<ProtobufCMessageDescriptor>] {
        var traces = unsafe Otlp__ExportTraceServiceRequest()
        unsafe otlp__export_trace_service_request__init(&traces)
        var logs = unsafe Otlp__ExportLogsServiceRequest()
        unsafe otlp__export_logs_service_request__init(&logs)
        var metrics = unsafe Otlp__ExportMetricsServiceRequest()
        unsafe otlp__export_metrics_service_request__init(&metrics)
        return unsafe [traces.base.descriptor, logs.base.descriptor, metrics.base.descriptor]
    }
}

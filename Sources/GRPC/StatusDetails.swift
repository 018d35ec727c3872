// SPDX-License-Identifier: Apache-2.0
internal import COTLP
internal import CProtobufC

/// The protobuf messages that answers carry, packed by protobuf-c.
enum StatusDetails {
    /// A google.rpc.RetryInfo.
    static func retryInfo(afterMs: Int) -> [UInt8] {
        var delay = unsafe GoogleProtobuf__Duration()
        unsafe google_protobuf__duration__init(&delay)
        unsafe delay.seconds = Int64(afterMs / 1_000)
        unsafe delay.nanos = Int32(afterMs % 1_000) * 1_000_000
        var info = unsafe Rpc__RetryInfo()
        unsafe rpc__retry_info__init(&info)
        return unsafe withUnsafeMutablePointer(to: &delay) { delay in
            unsafe info.retry_delay = delay
            return unsafe packed(&info, of: Rpc__RetryInfo.self)
        }
    }

    /// A google.rpc.Status that holds one RetryInfo, as `retryInfo` gives it, for
    /// `grpc-status-details-bin`.
    static func status(code: StatusCode, message: String, retryInfo: [UInt8]) -> [UInt8] {
        unsafe withAny("type.googleapis.com/google.rpc.RetryInfo", retryInfo) { any in
            var status = unsafe Rpc__Status()
            unsafe rpc__status__init(&status)
            unsafe status.code = Int32(code.rawValue)
            return unsafe withBinary(Array(message.utf8)) { text in
                unsafe status.message = text
                var details: UnsafeMutablePointer<GoogleProtobuf__Any>? = unsafe any
                return unsafe withUnsafeMutablePointer(to: &details) { list in
                    unsafe status.details = list
                    unsafe status.n_details = 1
                    return unsafe packed(&status, of: Rpc__Status.self)
                }
            }
        }
    }

    /// An Export response with `partial_success` set. The three signals' responses differ in the
    /// name of the count only, so that one stands for all on the wire.
    static func partialSuccess(rejectedItemCount: Int, message: String) -> [UInt8] {
        var partial = unsafe Otlp__ExportTracePartialSuccess()
        unsafe otlp__export_trace_partial_success__init(&partial)
        unsafe partial.rejected_spans = Int64(rejectedItemCount)
        return unsafe withBinary(Array(message.utf8)) { text in
            unsafe partial.error_message = text
            return unsafe withUnsafeMutablePointer(to: &partial) { partial in
                var response = unsafe Otlp__ExportTraceServiceResponse()
                unsafe otlp__export_trace_service_response__init(&response)
                unsafe response.partial_success = partial
                return unsafe packed(&response, of: Otlp__ExportTraceServiceResponse.self)
            }
        }
    }

    private static func packed<M>(_ message: inout M, of type: M.Type) -> [UInt8] {
        unsafe withUnsafeMutablePointer(to: &message) { message in
            // Every generated message begins with its base (protobuf-c, ProtobufCMessage).
            let base = unsafe UnsafeRawPointer(message).assumingMemoryBound(
                to: ProtobufCMessage.self)
            let size = unsafe protobuf_c_message_get_packed_size(base)
            return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                count = unsafe protobuf_c_message_pack(base, buffer.baseAddress!)
            }
        }
    }

    private static func withBinary<R>(
        _ bytes: [UInt8], _ body: (ProtobufCBinaryData) -> R
    ) -> R {
        var bytes = bytes
        return unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            unsafe body(ProtobufCBinaryData(len: buffer.count, data: buffer.baseAddress))
        }
    }

    private static func withAny<R>(
        _ typeURL: String, _ value: [UInt8],
        _ body: (UnsafeMutablePointer<GoogleProtobuf__Any>) -> R
    ) -> R {
        unsafe withBinary(Array(typeURL.utf8)) { typeURL in
            unsafe withBinary(value) { value in
                var any = unsafe GoogleProtobuf__Any()
                unsafe google_protobuf__any__init(&any)
                unsafe any.type_url = typeURL
                unsafe any.value = value
                return unsafe withUnsafeMutablePointer(to: &any) { unsafe body($0) }
            }
        }
    }
}

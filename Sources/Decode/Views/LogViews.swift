// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `ResourceLogs`: the log records of one resource.
@safe
package struct ResourceLogsView: MessageView {
    let message: UnsafePointer<Otlp__ResourceLogs>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ResourceLogs.self)
    }

    package var resource: ResourceView? {
        unsafe message.pointee.resource.map { unsafe ResourceView($0) }
    }

    package var scopeLogs: MessageList<ScopeLogsView> {
        unsafe MessageList(message.pointee.scope_logs, count: message.pointee.n_scope_logs)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

/// `ScopeLogs`: the log records of one scope of one resource.
@safe
package struct ScopeLogsView: MessageView {
    let message: UnsafePointer<Otlp__ScopeLogs>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__ScopeLogs.self)
    }

    package var scope: ScopeView? {
        unsafe message.pointee.scope.map { unsafe ScopeView($0) }
    }

    package var logRecords: MessageList<LogRecordView> {
        unsafe MessageList(message.pointee.log_records, count: message.pointee.n_log_records)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }
}

/// `LogRecord`: one log line or event.
@safe
package struct LogRecordView: MessageView {
    let message: UnsafePointer<Otlp__LogRecord>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__LogRecord.self)
    }

    /// 0 when unknown.
    package var timeUnixNano: UInt64 { unsafe message.pointee.time_unix_nano }

    /// 0 when unknown.
    package var observedTimeUnixNano: UInt64 { unsafe message.pointee.observed_time_unix_nano }

    /// `SeverityNumber`; numbers that OTLP does not define are kept.
    package var severityNumber: Int32 {
        unsafe Int32(bitPattern: UInt32(message.pointee.severity_number.rawValue))
    }

    package var severityText: ByteSlice { unsafe byteSlice(message.pointee.severity_text) }

    /// Nil when the message is absent.
    package var body: AnyValueView? {
        guard unsafe message.pointee._body_case == OTLP__LOG_RECORD___BODY_BODY else { return nil }
        return unsafe AnyValueView(byteSlice(message.pointee.body))
    }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }

    /// W3C trace flags in bits 0–7.
    package var flags: UInt32 { unsafe message.pointee.flags }

    /// 16 bytes in a valid trace context, empty without one.
    package var traceID: ByteSlice { unsafe byteSlice(message.pointee.trace_id) }

    /// 8 bytes in a valid trace context, empty without one.
    package var spanID: ByteSlice { unsafe byteSlice(message.pointee.span_id) }

    package var eventName: ByteSlice { unsafe byteSlice(message.pointee.event_name) }
}

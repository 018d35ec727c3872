// SPDX-License-Identifier: Apache-2.0

/// What an item has beside attributes; the raw value is its name in filters.
package enum IntrinsicField: String, CaseIterable, Sendable {
    case service, name, kind, status, body
    case serviceNamespace = "service_namespace"
    case scopeName = "scope_name"
    case scopeVersion = "scope_version"
    case statusMessage = "status_message"
    case duration = "duration_nanos"
    case traceID = "trace_id"
    case spanID = "span_id"
    case parentSpanID = "parent_span_id"
    case traceState = "trace_state"
    case semanticType = "semantic_type"
    case eventName = "event_name"
    case severityNumber = "severity_number"
    case severityText = "severity_text"
    case unit
    case metricType = "type"

    /// How its values are written.
    enum Kind: Equatable {
        case text
        case integer
        case duration
        /// One of these, which stand for numbers.
        case named([String: Int64])
        case traceID
        case spanID

        /// Whether values are only the same or not.
        var isIdentity: Bool {
            switch self {
            case .named, .traceID, .spanID: true
            case .text, .integer, .duration: false
            }
        }
    }

    var kind: Kind {
        switch self {
        case .kind: .named(IntrinsicField.spanKinds)
        case .status: .named(IntrinsicField.statusCodes)
        case .metricType: .named(IntrinsicField.metricTypes)
        case .duration: .duration
        case .traceID: .traceID
        case .spanID, .parentSpanID: .spanID
        case .severityNumber: .integer
        default: .text
        }
    }

    /// Whether items of `subject` have it.
    func exists(for subject: FilterSubject) -> Bool {
        switch self {
        case .service, .serviceNamespace, .scopeName, .scopeVersion: true
        case .name: subject != .logs
        case .kind, .status, .statusMessage, .duration, .parentSpanID, .traceState, .semanticType:
            subject == .spans
        case .traceID, .spanID, .eventName: subject != .series
        case .body, .severityNumber, .severityText: subject == .logs
        case .unit, .metricType: subject == .series
        }
    }

    /// Whether it is of the resource alone.
    var isOfResource: Bool { self == .service || self == .serviceNamespace }

    /// The rows of `span_kinds`.
    private static let spanKinds: [String: Int64] = [
        "UNSPECIFIED": 0, "INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5,
    ]
    /// The rows of `status_codes`.
    private static let statusCodes: [String: Int64] = ["UNSET": 0, "OK": 1, "ERROR": 2]
    /// The rows of `metric_types`.
    private static let metricTypes: [String: Int64] = [
        "GAUGE": 5, "SUM": 7, "HISTOGRAM": 9, "EXPONENTIAL_HISTOGRAM": 10, "SUMMARY": 11,
    ]
}

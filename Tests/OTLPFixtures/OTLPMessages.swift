// SPDX-License-Identifier: Apache-2.0

/// An `AnyValue` as a test says it.
package indirect enum OTLPValue {
    /// `KeyValue.value` is not sent.
    case absent
    /// An `AnyValue` with nothing in it.
    case empty
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case array([OTLPValue])
    case pairs(OTLPAttributes)
    case bytes([UInt8])
}

package typealias OTLPAttributes = KeyValuePairs<String, OTLPValue>

// Field numbers are written by hand, so that a wrong table in the product does not agree with
// itself.
extension WireWriter {
    /// The fields of an `AnyValue`.
    package mutating func value(_ value: OTLPValue) {
        switch value {
        case .absent, .empty: break
        case .string(let text): self.text(1, text)
        case .bool(let flag): number(2, flag ? 1 : 0)
        case .int(let number): self.number(3, UInt64(bitPattern: number))
        case .double(let number): double(4, number)
        case .array(let members):
            message(5) { list in
                for member in members { list.message(1) { $0.value(member) } }
            }
        case .pairs(let pairs): message(6) { $0.attributes(1, pairs) }
        case .bytes(let content): bytes(7, content)
        }
    }

    /// One `KeyValue` per pair, as field `number`.
    package mutating func attributes(_ number: Int, _ pairs: OTLPAttributes) {
        for (key, value) in pairs {
            message(number) { pair in
                pair.text(1, key)
                if case .absent = value { return }
                pair.message(2) { $0.value(value) }
            }
        }
    }
}

/// The time of everything in the fixtures, nanoseconds since 1970: 2023-11-14T22:13:20Z.
package let baseUnixNs: UInt64 = 1_700_000_000_000_000_000

package let sampleTraceID: [UInt8] = Array(1...16)
package let sampleSpanID: [UInt8] = [0x80, 2, 3, 4, 5, 6, 7, 8]

/// A request of any signal with one resource and one scope; `items` writes fields of the scope's
/// envelope.
package func request(
    resource: OTLPAttributes = ["service.name": .string("shop")], scope: String = "library",
    items: (inout WireWriter) -> Void
) -> [UInt8] {
    WireWriter { request in
        request.message(1) { envelope in
            envelope.message(1) { $0.attributes(1, resource) }
            envelope.message(2) { scopeEnvelope in
                scopeEnvelope.message(1) { $0.text(1, scope) }
                items(&scopeEnvelope)
            }
        }
    }.bytes
}

extension WireWriter {
    /// A span as field 2 of `ScopeSpans`; `more` adds fields or overrides those that come once.
    package mutating func span(
        name: String = "GET /", startUnixNs: UInt64 = baseUnixNs, attributes: OTLPAttributes = [:],
        more: (inout WireWriter) -> Void = { _ in }
    ) {
        message(2) { span in
            span.bytes(1, sampleTraceID)
            span.bytes(2, sampleSpanID)
            span.text(5, name)
            span.number(6, 2)
            span.fixed64(7, startUnixNs)
            span.fixed64(8, startUnixNs + 1_000)
            span.attributes(9, attributes)
            more(&span)
        }
    }

    /// A log record as field 2 of `ScopeLogs`.
    package mutating func logRecord(
        timeUnixNs: UInt64 = baseUnixNs, more: (inout WireWriter) -> Void = { _ in }
    ) {
        message(2) { record in
            record.fixed64(1, timeUnixNs)
            more(&record)
        }
    }

    /// A metric as field 2 of `ScopeMetrics`, its data in field `kind` of the oneof, with `points`
    /// writing fields of that.
    package mutating func metric(
        name: String = "requests", kind: Int, points: (inout WireWriter) -> Void
    ) {
        message(2) { metric in
            metric.text(1, name)
            metric.message(kind, points)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One trace with everything that is stored of its spans.
package struct WholeTrace: Sendable {
    private let id: TraceID

    package init(_ id: TraceID) { self.id = id }

    /// Writes it as one object, spans by their start. Errors: `notFound`.
    package func write(
        from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let spans = try TraceRows(id, from: &session)
        writer.object { writer in
            writer.member("trace_id", id.text)
            WholeTrace.writeSummary(of: spans, to: &writer)
            writer.key("resources")
            writer.list { WholeTrace.writeResources(spans.origins, to: &$0) }
            writer.key("spans")
            writer.list { spans.write(to: &$0) }
            writer.member("warnings", spans.warnings)
        }
    }

    private static func writeSummary(
        of spans: borrowing TraceRows, to writer: inout JSONWriter
    ) {
        var endUnixNs = Int64.min
        var errorCount: Int64 = 0
        for row in 0..<spans.count {
            endUnixNs = max(endUnixNs, spans.endUnixNs(row: row))
            if spans.isError(row: row) { errorCount += 1 }
        }
        let startUnixNs = spans.startUnixNs(row: 0)
        writer.member("start_time_unix_nano", digits: startUnixNs)
        writer.member("end_time_unix_nano", digits: endUnixNs)
        writer.member("duration_nanos", digits: endUnixNs &- startUnixNs)
        writer.member("span_count", Int64(spans.count))
        writer.member("error_count", errorCount)
    }

    private static func writeResources(_ origins: Origins, to writer: inout JSONWriter) {
        for (id, resource) in origins.resources.sorted(by: { $0.key < $1.key }) {
            writer.object { writer in
                writer.member("resource_id", id)
                writer.member("service_name", resource.serviceName)
                writer.key("attributes")
                writer.json(resource.attributesText)
            }
        }
    }
}

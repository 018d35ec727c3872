// SPDX-License-Identifier: Apache-2.0

/// What carries attributes in one jsonb object: the rows of a fact table, or the elements of an
/// array in them.
struct AttributeOwner: Sendable {
    /// Beginning of the names of its attribute views.
    let prefix: String
    /// For comments: one of those that carry the attributes.
    let noun: String
    /// The column by which the attribute views name their owner.
    let id: ViewColumn
    /// Further columns, that tell owners apart and by which partitions are skipped.
    let context: [ViewColumn]
    /// Goes after FROM. Calls the fact row `fact`.
    let source: String
    /// The jsonb object, in terms of `source`.
    let attributes: String
    let signal: PromotedAttribute.Signal
    /// Whether promoted attributes of this owner have columns on the fact row. Those of events and
    /// links have not: being promoted for spans decides only which view shows them.
    let hasColumns: Bool

    static let all = [span, log, event, link]

    private static let spanContext = [
        ViewColumn("trace_id", "fact.trace_id", "The trace; span ids are unique within one only"),
        ViewColumn(
            "start_time_unix_nano", "fact.start_time_unix_nano",
            "Start of the span; compare it with a number to skip partitions"),
    ]

    static let span = AttributeOwner(
        prefix: "otel_span_attrs", noun: "span",
        id: ViewColumn("span_id", "fact.span_id", "As in otel_spans_fact: unique within a trace"),
        context: spanContext,
        source: "otel_spans_fact AS fact", attributes: "fact.attributes", signal: .spans,
        hasColumns: true)

    static let log = AttributeOwner(
        prefix: "otel_log_attrs", noun: "log record",
        id: ViewColumn("log_id", "fact.log_id"),
        context: [
            ViewColumn(
                "time_unix_nano", "fact.time_unix_nano",
                "Time of the record; compare it with a number to skip partitions")
        ],
        source: "otel_logs_fact AS fact", attributes: "fact.attributes", signal: .logs,
        hasColumns: true)

    static let event = AttributeOwner(
        prefix: "otel_span_event_attrs", noun: "span event",
        id: ViewColumn("event_id", "element.position", eventIDComment),
        context: [ViewColumn("span_id", "fact.span_id")] + spanContext,
        source: elements(of: "events"), attributes: "(element.form -> 'attributes')",
        signal: .spans, hasColumns: false)

    static let link = AttributeOwner(
        prefix: "otel_span_link_attrs", noun: "span link",
        id: ViewColumn("link_id", "element.position", linkIDComment),
        context: [ViewColumn("span_id", "fact.span_id")] + spanContext,
        source: elements(of: "links"), attributes: "(element.form -> 'attributes')",
        signal: .spans, hasColumns: false)

    static let eventIDComment = "Position among the events of the span, from 1"
    static let linkIDComment = "Position among the links of the span, from 1"

    /// The elements of an array column of spans, each as `element (form, position)`.
    static func elements(of column: String) -> String {
        """
        otel_spans_fact AS fact
        CROSS JOIN LATERAL jsonb_array_elements(fact.\(column))
            WITH ORDINALITY AS element (form, position)
        """
    }
}

// SPDX-License-Identifier: Apache-2.0

/// `otel_span_events` and `otel_span_links`: the elements of two array columns of spans, as rows.
enum SpanPartViews {
    static let all = [events, links]

    private static let spanColumns = [
        ViewColumn("trace_id", "fact.trace_id", "The trace; span ids are unique within one only"),
        ViewColumn(
            "start_time_unix_nano", "fact.start_time_unix_nano",
            "Start of the span; compare it with a number to skip partitions"),
    ]

    /// A member that is left out where it is 0.
    private static let droppedCount =
        "COALESCE((element.form ->> 'dropped_attributes_count')::bigint, 0)"
    private static let attributes = ViewColumn(
        "attributes", "COALESCE(element.form -> 'attributes', '{}')")

    /// An event's time may be any uint64; what bigint cannot hold shows as NULL.
    private static let eventTime = """
        CASE WHEN COALESCE((element.form ->> 'time_unix_nano')::numeric, 0) < 9223372036854775808
            THEN COALESCE((element.form ->> 'time_unix_nano')::numeric, 0)::bigint END
        """

    private static let events = ViewDefinition.view(
        "otel_span_events",
        "One row per event of a span, out of otel_spans_fact.events. With a trace_id it is found by"
            + " index; else it reads whole partitions",
        [
            ViewColumn("event_id", "element.position", AttributeOwner.eventIDComment),
            ViewColumn("span_id", "fact.span_id"),
            ViewColumn("name", "COALESCE(element.form ->> 'name', '')"),
            ViewColumn("time_unix_nano", eventTime, "NULL where bigint cannot hold it"),
            ViewColumn("dropped_attributes_count", droppedCount),
            attributes,
            ViewColumn("time", "otel_time(\(eventTime))"),
        ] + spanColumns, from: AttributeOwner.elements(of: "events"))

    private static let links = ViewDefinition.view(
        "otel_span_links",
        "One row per link of a span, out of otel_spans_fact.links. With a trace_id it is found by"
            + " index; else it reads whole partitions",
        [
            ViewColumn("link_id", "element.position", AttributeOwner.linkIDComment),
            ViewColumn("span_id", "fact.span_id"),
            ViewColumn(
                "linked_trace_id", "COALESCE(element.form ->> 'trace_id', '')",
                "Hexadecimal digits of whatever bytes were sent"),
            ViewColumn(
                "linked_span_id_hex", "COALESCE(element.form ->> 'span_id', '')",
                "Hexadecimal digits of whatever bytes were sent"),
            ViewColumn("trace_state", "element.form ->> 'trace_state'"),
            ViewColumn("dropped_attributes_count", droppedCount),
            attributes,
            ViewColumn("flags", "COALESCE((element.form ->> 'flags')::bigint, 0)"),
        ] + spanColumns, from: AttributeOwner.elements(of: "links"))
}

# SPDX-License-Identifier: Apache-2.0
"""Attributes as the narrow attribute views show them, one row each, beside the objects of the enriched views."""

from support.expected_schema import KINDS, POINTS
from support.rebuild import TYPED_FIELDS
from support.values import any_value

SPAN = ("trace_id", "span_id")
# Prefix of the views -> columns that name the owner, and the query of the same owners with their attributes.
OWNERS = {
    "traces": {
        "otel_span_attrs": (SPAN, "SELECT trace_uuid, span_id, attributes FROM v_otel_spans_enriched"),
        "otel_span_event_attrs": ((*SPAN, "event_id"),
                                  "SELECT trace_id, span_id, event_id, attributes FROM otel_span_events"),
        "otel_span_link_attrs": ((*SPAN, "link_id"),
                                 "SELECT trace_id, span_id, link_id, attributes FROM otel_span_links")},
    "logs": {"otel_log_attrs": (("log_id",), "SELECT log_id, attributes FROM v_otel_logs_enriched")},
    "metrics": {f"otel_metric_{point}_attrs": (
        ("data_point_id",), f"SELECT DISTINCT data_point_id, attributes FROM v_otel_metrics_{point}")
        for point in POINTS},
}


def assert_same_attributes(connection, signal):
    """Every attribute of the enriched views is in exactly one of its six narrow views, with its kind and value."""
    for prefix, (owner, query) in OWNERS[signal].items():
        whole = {}
        for *key, attributes in connection.execute(query).fetchall():
            if attributes:
                whole[tuple(key)] = {name: wire(any_value(form)) for name, form in attributes.items()}
        assert narrow(connection, prefix, ", ".join(owner)) == whole, prefix


def narrow(connection, prefix, owner):
    found = {}
    for kind in KINDS:
        for *key, name, value in connection.execute(
                f"SELECT DISTINCT {owner}, key, value FROM {prefix}_{kind}").fetchall():
            form = any_value(None)
            setattr(form, TYPED_FIELDS[kind], value)
            put(found.setdefault(tuple(key), {}), name, wire(form))
    for *key, attributes in connection.execute(f"SELECT DISTINCT {owner}, attributes FROM {prefix}_other").fetchall():
        for name, form in attributes.items():
            put(found.setdefault(tuple(key), {}), name, wire(any_value(form)))
    return found


def put(attributes, name, value):
    assert name not in attributes, f"{name!r} stands twice"
    attributes[name] = value


def wire(value):
    return value.SerializeToString(deterministic=True)

# SPDX-License-Identifier: Apache-2.0
"""Turns the rows of a database back into the OTLP requests that they came from."""

import struct

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from psycopg.rows import dict_row

from support.values import any_value, key_values

TYPED_FIELDS = {"string": "string_value", "int": "int_value", "double": "double_value",
                "bool": "bool_value", "bytes": "bytes_value"}


def u32(value):
    """An unsigned 32-bit field from its int4 bit pattern; NULL is 0."""
    return (value or 0) & 0xFFFF_FFFF


def u64(value):
    return (value or 0) & 0xFFFF_FFFF_FFFF_FFFF


def span_id(value):
    return b"" if value is None else struct.pack(">q", value)


def rows(connection, query, *parameters):
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


class Dimensions:
    """Resources, scopes and operations, all of them, by id."""

    def __init__(self, connection):
        resource_attributes = typed_attributes(connection, "otel_resource_attrs", "resource_id")
        scope_attributes = typed_attributes(connection, "otel_scope_attrs", "scope_id")
        self.resources = {
            row["resource_id"]: (resource(row, resource_attributes.get(row["resource_id"], [])),
                                 row["schema_url"] or "")
            for row in rows(connection, "SELECT * FROM otel_resources_dim")}
        self.scopes = {
            row["scope_id"]: (InstrumentationScope(
                name=row["name"], version=row["version"] or "",
                dropped_attributes_count=u32(row["dropped_attributes_count"]),
                attributes=scope_attributes.get(row["scope_id"], [])), row["schema_url"] or "")
            for row in rows(connection, "SELECT * FROM otel_scopes_dim")}
        self.scopes[None] = (InstrumentationScope(), "")

    def envelope(self, kind, row):
        """A new Resource… message of `kind` and the Scope… message in it, for one row."""
        envelope = kind()
        found, envelope.schema_url = self.resources[row["resource_id"]]
        envelope.resource.CopyFrom(found)
        level = next(field.name for field in kind.DESCRIPTOR.fields if field.name.startswith("scope_"))
        inner = getattr(envelope, level).add()
        found, inner.schema_url = self.scopes[row["scope_id"]]
        inner.scope.CopyFrom(found)
        return envelope, inner


def resource(row, attributes):
    result = Resource(attributes=attributes, dropped_attributes_count=u32(row["dropped_attributes_count"]))
    for reference in row["entity_refs"] or []:
        result.entity_refs.add(**reference)
    return result


def typed_attributes(connection, prefix, owner):
    """Owner id -> list of KeyValue, from the five typed tables and the table of the others."""
    result = {}
    for suffix, field in TYPED_FIELDS.items():
        for row in rows(connection, f"SELECT t.{owner} AS owner, k.key, t.value FROM {prefix}_{suffix} t "
                                    "JOIN attribute_keys k USING (key_id)"):
            pair = KeyValue(key=row["key"])
            setattr(pair.value, field, row["value"])
            result.setdefault(row["owner"], []).append(pair)
    for row in rows(connection, f"SELECT {owner} AS owner, attributes FROM {prefix}_other"):
        assert row["attributes"], f"an empty object in {prefix}_other"
        result.setdefault(row["owner"], []).extend(key_values(row["attributes"]))
    for owner_id, pairs in result.items():
        keys = [pair.key for pair in pairs]
        assert len(keys) == len(set(keys)), f"{prefix} {owner_id}: a key stands in two tables: {sorted(keys)}"
    return result


def attribute_columns(connection, signal):
    """(column, key, AnyValue field) of every attribute that has a column of its own on the fact table."""
    return [(row["column_name"], row["key"], TYPED_FIELDS[row["type"]])
            for row in rows(connection, "SELECT * FROM otel_attribute_columns WHERE signal = %s", signal)]


def attributes_of(row, columns):
    """The attributes of a fact row, from its columns and from the object with the rest."""
    result = key_values(row["attributes"])
    rest = {pair.key for pair in result}
    for column, key, field in columns:
        if row[column] is not None:
            assert key not in rest, f"{key} is both in its column and in attributes"
            rest.add(key)
            pair = KeyValue(key=key)
            setattr(pair.value, field, row[column])
            result.append(pair)
    return result


def traces(connection):
    """All spans of the database as one ExportTraceServiceRequest."""
    dimensions = Dimensions(connection)
    request = ExportTraceServiceRequest()
    columns = attribute_columns(connection, "spans")
    for row in rows(connection, "SELECT s.*, o.name AS operation_name, o.kind_id AS operation_kind "
                                "FROM otel_spans_fact s LEFT JOIN otel_operations_dim o USING (operation_id)"):
        envelope, scope = dimensions.envelope(ResourceSpans, row)
        scope.spans.append(span(row, columns))
        request.resource_spans.append(envelope)
    return request


def span(row, columns):
    is_inline = row["operation_id"] is None
    assert is_inline or (row["name"] is None and row["kind_id"] is None), "name both inline and in the dimension"
    result = Span(
        trace_id=row["trace_id"].bytes, span_id=span_id(row["span_id"]),
        parent_span_id=span_id(row["parent_span_id"]), trace_state=row["trace_state"] or "",
        name=(row["name"] if is_inline else row["operation_name"]) or "",
        kind=(row["kind_id"] if is_inline else row["operation_kind"]) or 0,
        start_time_unix_nano=row["start_time_unix_nano"], end_time_unix_nano=row["end_time_unix_nano"],
        attributes=attributes_of(row, columns), flags=u32(row["flags"]),
        dropped_attributes_count=u32(row["dropped_attributes_count"]),
        dropped_events_count=u32(row["dropped_events_count"]),
        dropped_links_count=u32(row["dropped_links_count"]))
    if row["status_code_id"] is not None:
        result.status.SetInParent()
        result.status.code = row["status_code_id"]
        result.status.message = row["status_message"] or ""
    else:
        assert row["status_message"] is None
    for event in row["events"] or []:
        result.events.add(**fields(event, "attributes"))
    for link in row["links"] or []:
        result.links.add(**fields(link, "attributes"))
    return result


def fields(form, attributes_key):
    """Keyword arguments for an event, link or exemplar from its object: ids from hex, attributes to pairs."""
    result = dict(form)
    for key in ("trace_id", "span_id"):
        if key in result:
            result[key] = bytes.fromhex(result[key])
    if "attributes" in result:
        assert result["attributes"], "an empty attributes object must be left out"
        result[attributes_key] = key_values(result.pop("attributes"))
    return result


def logs(connection):
    """All log records of the database as one ExportLogsServiceRequest."""
    dimensions = Dimensions(connection)
    request = ExportLogsServiceRequest()
    columns = attribute_columns(connection, "logs")
    for row in rows(connection, "SELECT * FROM otel_logs_fact"):
        envelope, scope = dimensions.envelope(ResourceLogs, row)
        scope.log_records.append(log_record(row, columns))
        request.resource_logs.append(envelope)
    return request


def log_record(row, columns):
    result = LogRecord(
        time_unix_nano=0 if row["time_is_substituted"] else row["time_unix_nano"],
        observed_time_unix_nano=row["observed_time_unix_nano"] or 0,
        severity_number=row["severity_number"] or 0, severity_text=row["severity_text"] or "",
        attributes=attributes_of(row, columns), flags=u32(row["flags"]),
        dropped_attributes_count=u32(row["dropped_attributes_count"]),
        trace_id=row["trace_id"].bytes if row["trace_id"] else b"", span_id=span_id(row["span_id"]),
        event_name=row["event_name"] or "")
    kind = row["body_type_id"]
    if kind is None:
        assert row["body_text"] is None and row["body"] is None
    elif kind == 1:
        assert row["body"] is None
        result.body.string_value = row["body_text"] or ""
    else:
        assert row["body_text"] is None
        result.body.CopyFrom(any_value(row["body"]))
        result.body.SetInParent()
        stored = result.body.WhichOneof("value")
        number = result.body.DESCRIPTOR.fields_by_name[stored].number if stored else 0
        assert number == kind, f"body_type_id {kind} with a body of kind {number}"
    return result

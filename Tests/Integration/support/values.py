# SPDX-License-Identifier: Apache-2.0
"""AnyValue as the jsonb columns hold it, back into AnyValue (the rules of docs/attributes.md)."""

import base64

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

TAGS = {"$double", "$bytes", "$kvlist"}


def any_value(form):
    """`form` is what json.loads made of a value: int and float are told apart by the fraction part."""
    value = AnyValue()
    if form is None:
        return value
    if isinstance(form, bool):
        value.bool_value = form
    elif isinstance(form, str):
        value.string_value = form
    elif isinstance(form, int):
        value.int_value = form
    elif isinstance(form, float):
        value.double_value = form
    elif isinstance(form, list):
        value.array_value.SetInParent()
        value.array_value.values.extend(any_value(element) for element in form)
    elif is_tagged(form):
        (tag, content), = form.items()
        if tag == "$double":
            value.double_value = double(content)
        elif tag == "$bytes":
            value.bytes_value = base64.b64decode(content, validate=True)
        else:
            value.kvlist_value.SetInParent()
            value.kvlist_value.values.extend(key_values(content))
    else:
        value.kvlist_value.SetInParent()
        value.kvlist_value.values.extend(key_values(form))
    return value


def is_tagged(form):
    """Whether an object is a tagged value. A lone key with "$" that is no tag breaks the rules."""
    if len(form) != 1:
        return False
    (key,) = form
    assert not key.startswith("$") or key in TAGS, f"lone key {key!r} must stand inside $kvlist"
    return key in TAGS


def key_values(form):
    """A list of KeyValue from an attributes object (None is one without attributes)."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in (form or {}).items()]


def double(form):
    """A double from its value form where it must be one: a JSON number, or $double."""
    if isinstance(form, dict):
        ((tag, form),) = form.items()
        assert tag == "$double", f"{tag} where a double must stand"
    return float(form)

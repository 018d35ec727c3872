# SPDX-License-Identifier: Apache-2.0
"""Promoting attributes by hand, as the daemon does: a column on the fact table, and a row in the registry."""

from psycopg import sql

SQL_TYPES = {"string": "text", "int": "bigint", "double": "double precision", "bool": "boolean", "bytes": "bytea"}


def promote(connection, signal, key, kind, column):
    table = sql.Identifier(f"otel_{signal}_fact")
    connection.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
        table, sql.Identifier(column), sql.SQL(SQL_TYPES[kind])))
    connection.execute("INSERT INTO otel_attribute_columns (signal, key, type, column_name) VALUES (%s, %s, %s, %s) "
                       "ON CONFLICT DO NOTHING", [signal, key, kind, column])


def move_into_columns(connection, signal, key, kind, column, condition="true"):
    """Brings the rows that satisfy `condition` into the form that they would have had after the promotion."""
    table = sql.Identifier(f"otel_{signal}_fact")
    return connection.execute(sql.SQL(
        "UPDATE {table} SET {column} = {value}(attributes -> {key}), attributes = NULLIF(attributes - {key}, '{{}}') "
        "WHERE otel_value_kind(attributes -> {key}) = {kind} AND " + condition).format(
            table=table, column=sql.Identifier(column), value=sql.Identifier(f"otel_value_{kind}"),
            key=sql.Literal(key), kind=sql.Literal(kind))).rowcount

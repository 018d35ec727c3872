// SPDX-License-Identifier: Apache-2.0

/// The functions that the views are written with, for queries by hand as well.
///
/// Each is one expression, so that the planner puts it in place of the call; for the same reason
/// none is STRICT, and those that could answer something for NULL say NULL by themselves.
enum ViewFunctions {
    /// In order of use.
    static let all: [ViewDefinition] = times + numbers + ids + json + values

    private static func function(
        _ name: String, _ arguments: String, returns type: String,
        volatility: String = "IMMUTABLE", _ comment: String, _ expression: String
    ) -> ViewDefinition {
        ViewDefinition(
            kind: .function, name: name,
            createSQL: """
                CREATE OR REPLACE FUNCTION \(name)(\(arguments)) RETURNS \(type)
                LANGUAGE sql \(volatility) PARALLEL SAFE
                RETURN \(expression)
                """, comment: comment, columnComments: [])
    }

    private static let times = [
        // Whole microseconds first: their quotient by 10^6 is exact after rounding, until 2242.
        function(
            "otel_time", "unix_nano bigint", returns: "timestamptz",
            "A time in nanoseconds since 1970 as timestamptz, cut to whole microseconds. Compare "
                + "the nanoseconds themselves where partitions should be skipped",
            "to_timestamp((unix_nano / 1000) / 1000000::double precision)"),
        function(
            "otel_unix_nano", "moment timestamptz", returns: "bigint", volatility: "STABLE",
            "The nanoseconds since 1970 of a moment, to compare time columns of facts with",
            "(extract(epoch FROM moment) * 1000000000)::bigint"),
    ]

    private static let numbers = [
        function(
            "otel_uint32", "bits integer", returns: "bigint",
            "The unsigned number of which an integer column holds the bits",
            "bits::bigint & 4294967295"),
        function(
            "otel_uint64", "bits bigint", returns: "numeric",
            "The unsigned number of which a bigint column holds the bits",
            "CASE WHEN bits < 0 THEN bits::numeric + 18446744073709551616 ELSE bits::numeric END"),
        function(
            "otel_uint64_array", "bits bigint[]", returns: "numeric[]",
            "otel_uint64 of each element",
            """
            CASE WHEN 0 <= ALL (bits) THEN bits::numeric[]
            ELSE ARRAY(SELECT CASE WHEN element < 0 THEN element::numeric + 18446744073709551616
                    ELSE element::numeric END
                FROM unnest(bits) WITH ORDINALITY AS elements (element, position)
                ORDER BY position) END
            """),
    ]

    private static let ids = [
        function(
            "otel_int8_at", "bytes bytea, place integer", returns: "bigint",
            "The number in eight bytes, big-endian, of which the first is byte `place` from 0 on",
            "('x' || encode(substring(bytes FROM place + 1 FOR 8), 'hex'))::bit(64)::bigint"),
        function(
            "otel_trace_id_hex", "trace_id uuid", returns: "text",
            "A trace id as 32 hexadecimal digits", "encode(uuid_send(trace_id), 'hex')"),
        function(
            "otel_span_id_hex", "span_id bigint", returns: "text",
            "A span id as 16 hexadecimal digits", "lpad(to_hex(span_id), 16, '0')"),
        function(
            "otel_span_id", "hex text", returns: "bigint",
            "The span id that 16 hexadecimal digits say, as facts hold it",
            "('x' || hex)::bit(64)::bigint"),
        function(
            "otel_data_point_id", "series_id bigint, time_unix_nano bigint", returns: "numeric",
            "A number for the point of a series at a time: series_id * 2^64 + time_unix_nano",
            "series_id * 18446744073709551616 + time_unix_nano"),
    ]

    private static let json = [
        // Shortest digits may lie exactly half-way to the next double, from 2^53 up to where 5^k
        // has more bits than a double. Swift takes them, since reading rounds them back; float8out
        // does not. So its digits are tried with the last one cut off, and with one more than that.
        function(
            "otel_double_text", "value double precision", returns: "text",
            "The shortest digits that read back as the value, as the daemon writes them",
            """
            CASE WHEN abs(value) >= 9007199254740992 AND abs(value) < 1e41 THEN
                (SELECT COALESCE(CASE WHEN value < 0 THEN '-' ELSE '' END
                    || regexp_replace(rtrim(chosen.digits::text, '0'), '^(.)(.+)$', '\\1.\\2')
                    || 'e+' || cut.exponent + length(chosen.digits::text) - 1, value::text)
                FROM (SELECT replace(split_part(abs(value)::text, 'e+', 1), '.', ''),
                    split_part(abs(value)::text, 'e+', 2)::integer) AS shown (digits, exponent)
                CROSS JOIN LATERAL (SELECT NULLIF(left(shown.digits, -1), '')::numeric,
                    shown.exponent - length(shown.digits) + 2) AS cut (digits, exponent)
                CROSS JOIN LATERAL (SELECT CASE
                    WHEN (cut.digits || 'e' || cut.exponent)::double precision = abs(value)
                        THEN cut.digits
                    WHEN (cut.digits + 1 || 'e' || cut.exponent)::double precision = abs(value)
                        THEN cut.digits + 1 END) AS chosen (digits))
            ELSE value::text END
            """),
        function(
            "otel_double_json", "value double precision", returns: "jsonb",
            "A double in the form that jsonb columns have it in, see docs/attributes.md",
            """
            CASE WHEN value IS NULL THEN NULL
            WHEN value::text = '-0' THEN jsonb_build_object('$double', '-0.0')
            WHEN value = 0 OR abs(value) >= 1e-6 AND abs(value) < 9007199254740992
                THEN to_jsonb(CASE WHEN scale(value::text::numeric) = 0
                    THEN round(value::text::numeric, 1) ELSE value::text::numeric END)
            WHEN abs(value) >= 1e-6 AND abs(value) < 1e17
                THEN to_jsonb(round(otel_double_text(value)::numeric, 1))
            ELSE jsonb_build_object('$double', otel_double_text(value)) END
            """),
        function(
            "otel_bytes_json", "value bytea", returns: "jsonb",
            "Bytes in the form that jsonb columns have them in, see docs/attributes.md",
            """
            CASE WHEN value IS NOT NULL
            THEN jsonb_build_object('$bytes', translate(encode(value, 'base64'), chr(10), '')) END
            """),
    ]

    private static let values = [
        function(
            "otel_value_kind", "value jsonb", returns: "text",
            "The kind of AnyValue that a form in a jsonb column stands for: string, bool, int, "
                + "double, bytes, array, kvlist or empty",
            """
            CASE jsonb_typeof(value)
            WHEN 'string' THEN 'string'
            WHEN 'number' THEN CASE WHEN scale(value::numeric) = 0 THEN 'int' ELSE 'double' END
            WHEN 'boolean' THEN 'bool'
            WHEN 'array' THEN 'array'
            WHEN 'null' THEN 'empty'
            WHEN 'object' THEN CASE
                WHEN value ? '$double' AND value - '$double' = '{}' THEN 'double'
                WHEN value ? '$bytes' AND value - '$bytes' = '{}' THEN 'bytes'
                ELSE 'kvlist' END
            END
            """),
        function(
            "otel_value_string", "value jsonb", returns: "text",
            "The string that a form in a jsonb column stands for; NULL where it is no string",
            "CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END"),
        function(
            "otel_value_int", "value jsonb", returns: "bigint",
            "The integer that a form in a jsonb column stands for; NULL where it is none",
            """
            CASE WHEN jsonb_typeof(value) = 'number'
            THEN CASE WHEN scale(value::numeric) = 0 THEN value::bigint END END
            """),
        function(
            "otel_value_double", "value jsonb", returns: "double precision",
            "The double that a form in a jsonb column stands for; NULL where it is none",
            """
            CASE jsonb_typeof(value)
            WHEN 'number' THEN CASE WHEN scale(value::numeric) > 0 THEN value::double precision END
            WHEN 'object' THEN CASE WHEN value - '$double' = '{}'
                THEN (value ->> '$double')::double precision END
            END
            """),
        function(
            "otel_value_bool", "value jsonb", returns: "boolean",
            "The boolean that a form in a jsonb column stands for; NULL where it is none",
            "CASE WHEN jsonb_typeof(value) = 'boolean' THEN value::boolean END"),
        function(
            "otel_value_bytes", "value jsonb", returns: "bytea",
            "The bytes that a form in a jsonb column stands for; NULL where it is none",
            """
            CASE WHEN jsonb_typeof(value) = 'object'
            THEN CASE WHEN value - '$bytes' = '{}' THEN decode(value ->> '$bytes', 'base64') END END
            """),
    ]
}

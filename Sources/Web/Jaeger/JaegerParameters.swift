// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Query

/// Parameters as Jaeger's clients send them: those that nobody knows are ignored, of several the
/// first counts, and one that is empty is as if it were not there.
struct JaegerParameters {
    private var request: QueryRequest

    /// Errors: `invalidParameter` for a NUL character, which PostgreSQL has not.
    init(_ request: QueryRequest) { self.request = request }

    mutating func text(_ names: String...) throws(QueryFailure) -> String? {
        var found: String?
        for name in names {
            for value in request.takeAll(name) where !value.isEmpty && found == nil {
                found = try JaegerParameters.storable(value, name)
            }
        }
        return found
    }

    mutating func texts(_ name: String) throws(QueryFailure) -> [String] {
        var values: [String] = []
        for value in request.takeAll(name) where !value.isEmpty {
            values.append(try JaegerParameters.storable(value, name))
        }
        return values
    }

    mutating func number(_ names: String...) throws(QueryFailure) -> Int64? {
        for name in names {
            guard let written = try text(name) else { continue }
            guard let number = Int64(written) else {
                throw JaegerParameters.malformed(name, written, "a whole number")
            }
            return number
        }
        return nil
    }

    mutating func durationNs(_ names: String...) throws(QueryFailure) -> Int64? {
        for name in names {
            guard let written = try text(name) else { continue }
            guard let ns = JaegerDuration.ns(written) else {
                throw JaegerParameters.malformed(name, written, "a duration such as 1.2s or 100ms")
            }
            return ns
        }
        return nil
    }

    /// Nanoseconds of microseconds since 1970.
    mutating func microseconds(_ name: String) throws(QueryFailure) -> Int64? {
        try number(name, in: 1_000, "microseconds since 1970")
    }

    /// Nanoseconds of milliseconds.
    mutating func milliseconds(_ name: String) throws(QueryFailure) -> Int64? {
        try number(name, in: 1_000_000, "milliseconds")
    }

    private mutating func number(
        _ name: String, in unitNs: Int64, _ wanted: String
    ) throws(QueryFailure) -> Int64? {
        guard let count = try number(name) else { return nil }
        let (ns, isOver) = count.multipliedReportingOverflow(by: unitNs)
        guard count >= 0, !isOver else {
            throw JaegerParameters.malformed(name, "\(count)", wanted)
        }
        return ns
    }

    /// Nanoseconds of RFC 3339.
    mutating func time(_ names: String...) throws(QueryFailure) -> Int64? {
        for name in names {
            guard let written = try text(name) else { continue }
            let isDate = written.contains("-") && !written.hasPrefix("now")
            guard isDate, let ns = TimeText.unixNs(written, nowUnixNs: 0) else {
                throw JaegerParameters.malformed(name, written, "a time of RFC 3339")
            }
            return ns
        }
        return nil
    }

    mutating func limit(_ names: String...) throws(QueryFailure) -> Int {
        for name in names {
            guard let number = try number(name) else { continue }
            guard number > 0 else {
                throw JaegerParameters.malformed(name, "\(number)", "more than 0")
            }
            return Int(min(number, Int64(JaegerSearch.limitMax + 1)))
        }
        return JaegerSearch.limitDefault
    }

    mutating func kind(_ names: String...) throws(QueryFailure) -> JaegerSpanKind? {
        for name in names {
            guard let written = try text(name) else { continue }
            guard let kind = JaegerSpanKind(text: written) else {
                throw JaegerParameters.malformed(
                    name, written, "internal, server, client, producer or consumer")
            }
            return kind
        }
        return nil
    }

    /// Whether it is said to be so, as Go's `strconv.ParseBool` reads it.
    mutating func truth(_ name: String) throws(QueryFailure) -> Bool {
        guard let written = try text(name) else { return false }
        if ["1", "t", "T", "true", "TRUE", "True"].contains(written) { return true }
        if ["0", "f", "F", "false", "FALSE", "False"].contains(written) { return false }
        throw JaegerParameters.malformed(name, written, "true or false")
    }

    /// SpanKind of OTLP, of each value; 0 is `unspecified`.
    mutating func kindIDs(_ name: String) throws(QueryFailure) -> [Int64] {
        var ids: [Int64] = []
        for written in try texts(name) {
            let kind = JaegerSpanKind(text: written)
            guard kind != nil || written.lowercased() == "unspecified" else {
                throw JaegerParameters.malformed(
                    name, written,
                    "unspecified, internal, server, client, producer or consumer")
            }
            ids.append(kind?.rawValue ?? 0)
        }
        return ids
    }

    /// Tags in a JSON object.
    mutating func tags(_ name: String) throws(QueryFailure) -> [JaegerSearch.Tag] {
        guard let written = try text(name) else { return [] }
        guard let tags = JaegerSearch.tags(json: written) else {
            throw JaegerParameters.malformed(name, written, "a JSON object of texts")
        }
        for tag in tags { _ = try JaegerParameters.storable(tag.key + tag.value, name) }
        return tags
    }

    /// Refuses more tags than one search may have.
    static func checked(_ search: JaegerSearch) throws(QueryFailure) -> JaegerSearch {
        guard search.tags.count <= JaegerSearch.tagCountMax else {
            throw QueryFailure(
                .invalidParameter,
                "there are \(search.tags.count) tags, and there may be "
                    + "\(JaegerSearch.tagCountMax)", pointer: "tags")
        }
        return search
    }

    /// Both ends, or none: where spans of a trace begin, as the client knows.
    static func range(
        _ startUnixNs: Int64?, _ endUnixNs: Int64?
    ) -> ClosedRange<Int64>? {
        let (start, end) = (startUnixNs ?? 0, endUnixNs ?? .max)
        guard startUnixNs != nil || endUnixNs != nil, start <= end else { return nil }
        return start...end
    }

    /// The trace that a part of the path or a parameter names.
    static func traceID(_ written: String) throws(QueryFailure) -> TraceID {
        guard let id = TraceID(jaeger: written) else {
            throw malformed("traceID", written, "32 hexadecimal digits, not all zero")
        }
        return id
    }

    static func storable(_ value: String, _ name: String) throws(QueryFailure) -> String {
        guard !value.utf8.contains(0) else {
            throw QueryFailure(.invalidParameter, "there is a NUL character in it", pointer: name)
        }
        return value
    }

    static func malformed(_ name: String, _ value: String, _ wanted: String) -> QueryFailure {
        QueryFailure(
            .invalidParameter, "\"\(value)\" is not what it may be: \(wanted)", pointer: name)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Questions as bodies of requests:
/// `{"time_range":{"start_time","end_time"},"filters":[…],"pagination":{"limit","cursor"}}`.
extension SearchQuestion {
    /// Errors: `invalidParameter`, `invalidFilter`, with JSON pointers.
    package init(_ elements: Elements, body: [UInt8]) throws(QueryFailure) {
        var members = try JSONMembers(try JSONValue(body), at: "")
        var reader = FilterReader(of: elements.subject)
        let filter = try reader.filters(members.take("filters"), at: "/filters")
        let conditions =
            elements == .traces ? try TraceConditions(taking: &members) : TraceConditions()
        let asked = try SearchQuestion.timeRange(
            try members.takeMembers("time_range"), isOptional: filter.isOfTraces)
        var (limit, cursor): (PageLimit, String?) = (try PageLimit(nil), nil)
        if var page = try members.takeMembers("pagination") {
            limit = try PageLimit(try page.takeInt("limit"), pointer: page.pointer(to: "limit"))
            cursor = try page.takeText("cursor")
            try page.checkNothingIsLeft()
        }
        try members.checkNothingIsLeft()
        self.init(
            elements, asked: asked, filter: filter, traceConditions: conditions, limit: limit,
            cursor: cursor)
    }

    /// Errors: `invalidParameter`, also where there is none and it is not optional.
    static func timeRange(
        _ members: JSONMembers?, isOptional: Bool
    ) throws(QueryFailure) -> AskedTimeRange? {
        guard var members else {
            if isOptional { return nil }
            throw QueryFailure(
                .invalidParameter,
                "time_range is missing: an object with start_time, and end_time "
                    + "unless that is now", pointer: "/time_range")
        }
        let asked = try AskedTimeRange(
            start: try time("start_time", &members), end: try time("end_time", &members),
            startPointer: members.pointer(to: "start_time"),
            endPointer: members.pointer(to: "end_time"))
        try members.checkNothingIsLeft()
        return asked
    }

    /// A string, or nanoseconds as a number.
    private static func time(
        _ name: String, _ members: inout JSONMembers
    ) throws(QueryFailure) -> String? {
        switch members.take(name) {
        case nil, .null: return nil
        case .string(let text): return text
        case .int(let number): return "\(number)"
        case .some(let other):
            throw QueryFailure(
                .invalidParameter,
                "\(name) is \(other.kindName), and has to be a string or whole nanoseconds",
                pointer: members.pointer(to: name))
        }
    }
}

extension TraceConditions {
    fileprivate init(taking members: inout JSONMembers) throws(QueryFailure) {
        durationNsMin = try TraceConditions.duration("min_duration", &members)
        durationNsMax = try TraceConditions.duration("max_duration", &members)
        hasError = try members.takeBool("errors_only") ?? false
    }

    private static func duration(
        _ name: String, _ members: inout JSONMembers
    ) throws(QueryFailure) -> Int64? {
        switch members.take(name) {
        case nil, .null: return nil
        case .int(let number): return number
        case .string(let text):
            return try TraceConditions.duration(name, text, pointer: members.pointer(to: name))
        case .some(let other):
            throw QueryFailure(
                .invalidParameter, "\(name) is \(other.kindName), and has to be a duration",
                pointer: members.pointer(to: name))
        }
    }

    /// Nanoseconds of a duration as it was written. Errors: `invalidParameter`.
    package static func duration(
        _ name: String, _ text: String, pointer: String
    ) throws(QueryFailure) -> Int64 {
        guard let durationNs = TimeText.durationNs(text) else {
            throw QueryFailure(
                .invalidParameter,
                "\(name) is \"\(text)\", and has to be nanoseconds, or a duration such as 250ms",
                pointer: pointer)
        }
        return durationNs
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Query

extension QueryRequest {
    /// Takes `start_time`, which has to be there, and `end_time`.
    mutating func takeRange() throws(QueryFailure) -> AskedTimeRange {
        try AskedTimeRange(start: try take("start_time"), end: try take("end_time"))
    }

    /// Takes a text that PostgreSQL can hold.
    mutating func takeText(_ name: String) throws(QueryFailure) -> String? {
        guard let text = try take(name) else { return nil }
        guard !text.utf8.contains(0) else {
            throw QueryFailure(
                .invalidParameter, "\(name) has a NUL character", pointer: name)
        }
        return text
    }

    /// Takes a whole number. Errors: `invalidParameter`.
    mutating func takeInt(_ name: String) throws(QueryFailure) -> Int64? {
        guard let text = try take(name) else { return nil }
        guard let number = Int64(text) else {
            throw QueryFailure(
                .invalidParameter, "\(name) is \"\(text)\", and has to be a whole number",
                pointer: name)
        }
        return number
    }
}

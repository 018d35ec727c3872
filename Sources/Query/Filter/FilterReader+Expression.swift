// SPDX-License-Identifier: Apache-2.0

/// Conditions as people type them: `duration_nanos>=250ms`, `attr.http.route=/cart`, `name~^GET`.
extension FilterReader {
    /// The signs between field and value, those first that others begin with.
    private static let signs: [(text: String, operation: FilterOperator)] = [
        ("!=", .ne), (">=", .gte), ("<=", .lte), ("=", .eq), (">", .gt), ("<", .lt),
        ("~", .regex),
    ]

    /// The condition that `text` is: a field, one of the signs `=`, `!=`, `>`, `>=`, `<`, `<=`, `~`
    /// (a regular expression), and a value; a field alone says that it is there. `at` is where it
    /// was written. Errors: `invalidFilter`.
    ///
    /// The first sign ends the field, so a key that has one needs the JSON form.
    package mutating func expression(
        _ text: String, at pointer: String
    ) throws(QueryFailure) -> Filter {
        guard let (field, operation, value) = FilterReader.split(text) else {
            return try written(text, .exists, nil, at: pointer)
        }
        if field == IntrinsicField.severityNumber.rawValue, let range = Severity.range(of: value) {
            return try severity(field, operation, range, at: pointer)
        }
        // A value has no type here: the text 200 and the number are meant alike.
        let meanings = FilterReader.meanings(of: value, in: field)
        switch operation {
        case .eq where meanings.count > 1:
            return try written(field, .isIn, .list(meanings), at: pointer)
        case .ne where meanings.count > 1:
            return try written(field, .notIn, .list(meanings), at: pointer)
        case .gt, .gte, .lt, .lte:
            return try written(field, operation, meanings[meanings.count - 1], at: pointer)
        default: return try written(field, operation, .string(value), at: pointer)
        }
    }

    /// The name of a severity stands for all numbers that have it.
    private mutating func severity(
        _ field: String, _ operation: FilterOperator, _ range: ClosedRange<Int64>,
        at pointer: String
    ) throws(QueryFailure) -> Filter {
        let numbers = JSONValue.list(range.map { .int($0) })
        return switch operation {
        case .eq: try written(field, .isIn, numbers, at: pointer)
        case .ne: try written(field, .notIn, numbers, at: pointer)
        case .gte, .lt: try written(field, operation, .int(range.lowerBound), at: pointer)
        default: try written(field, operation, .int(range.upperBound), at: pointer)
        }
    }

    private mutating func written(
        _ field: String, _ operation: FilterOperator, _ value: JSONValue?, at pointer: String
    ) throws(QueryFailure) -> Filter {
        try condition(
            field, operation, value, Places(field: pointer, operation: pointer, value: pointer))
    }

    private static func split(
        _ text: String
    ) -> (field: String, operation: FilterOperator, value: String)? {
        guard let start = text.firstIndex(where: { "!=<>~".contains($0) }) else { return nil }
        guard let sign = signs.first(where: { text[start...].hasPrefix($0.text) }) else {
            return nil
        }
        let value = text[text.index(start, offsetBy: sign.text.count)...]
        return (String(text[..<start]), sign.operation, String(value))
    }
}

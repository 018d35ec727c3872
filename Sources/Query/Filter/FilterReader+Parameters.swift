// SPDX-License-Identifier: Apache-2.0

/// Conditions as parameters of a URL: `service=shop`, `attr.http.route=/cart`.
extension FilterReader {
    /// That the field called `name` has the value that `text` says. A parameter has no types: for
    /// an attribute, `200` and `true` are a number or boolean as well as text. Errors:
    /// `invalidFilter`.
    package mutating func equals(
        _ name: String, _ text: String
    ) throws(QueryFailure) -> Filter {
        let meanings = FilterReader.meanings(of: text, in: name)
        return meanings.count == 1
            ? try parameter(name, .eq, meanings[0], at: name)
            : try parameter(name, .isIn, .list(meanings), at: name)
    }

    /// Of the field called `name` what `operation` says, with a value of the parameter `parameter`.
    package mutating func parameter(
        _ name: String, _ operation: FilterOperator, _ value: JSONValue, at parameter: String
    ) throws(QueryFailure) -> Filter {
        try condition(
            name, operation, value,
            Places(field: parameter, operation: parameter, value: parameter))
    }

    static func meanings(of text: String, in name: String) -> [JSONValue] {
        var meanings = [JSONValue.string(text)]
        guard IntrinsicField(rawValue: name) == nil else { return meanings }
        if let truth = Bool(text) { meanings.append(.bool(truth)) }
        if let number = Int64(text) {
            meanings.append(.int(number))
        } else if let number = Double(text), number.isFinite {
            meanings.append(.double(number))
        }
        return meanings
    }
}

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

    /// The names that items of `subject` have beside attributes.
    package static func intrinsicNames(of subject: FilterSubject) -> [String] {
        IntrinsicField.allCases.filter { $0.exists(for: subject) }.map(\.rawValue)
    }

    /// What attributes of items of `subject` begin with, dots included.
    package static func attributePrefixes(of subject: FilterSubject) -> [String] {
        let scopes = AttributeScope.allCases.filter { $0.exists(for: subject) }.map(\.rawValue)
        return (scopes + ["attr"]).map { "\($0)." }
    }

    static func meanings(of text: String, in name: String) -> [JSONValue] {
        var meanings = [JSONValue.string(text)]
        if let field = IntrinsicField(rawValue: name) {
            return field.kind == .integer ? Int64(text).map { [.int($0)] } ?? meanings : meanings
        }
        if let truth = Bool(text) { meanings.append(.bool(truth)) }
        if let number = Int64(text) {
            meanings.append(.int(number))
        } else if let number = Double(text), number.isFinite {
            meanings.append(.double(number))
        }
        return meanings
    }
}

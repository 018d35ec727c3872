// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// The text of a statement and its parameters, made together: what comes from outside is bound, and
/// never a part of the text.
///
/// Cost: copies each value once.
package struct SQLStatement: Sendable {
    package var text = ""
    package private(set) var parameters = QueryParameters()
    /// Values that are bound.
    package private(set) var parameterCount = 0

    package init() {}

    // Each returns what stands for the value in the text: `$n`, of the type that is named here.

    /// bigint.
    package mutating func bind(_ value: Int64) -> String {
        parameters.append(value)
        return next()
    }

    /// double precision.
    package mutating func bind(_ value: Double) -> String {
        parameters.append(value)
        return next()
    }

    /// boolean.
    package mutating func bind(_ value: Bool) -> String {
        parameters.append(value)
        return next()
    }

    /// text. PostgreSQL has no NUL character: the value must have none.
    package mutating func bind(_ value: String) -> String {
        parameters.append(value)
        return next()
    }

    /// bigint[].
    package mutating func bind(_ values: [Int64]) -> String {
        bind(.int8) { (array: inout ArrayParameter) in for value in values { array.append(value) } }
    }

    /// double precision[].
    package mutating func bind(_ values: [Double]) -> String {
        bind(.float8) { (array: inout ArrayParameter) in
            for value in values { array.append(value) }
        }
    }

    /// boolean[].
    package mutating func bind(_ values: [Bool]) -> String {
        bind(.bool) { (array: inout ArrayParameter) in for value in values { array.append(value) } }
    }

    /// text[]. As for text, without NUL characters.
    package mutating func bind(_ values: [String]) -> String {
        bind(.text) { (array: inout ArrayParameter) in for value in values { array.append(value) } }
    }

    private mutating func bind(
        _ type: ParameterType, _ fill: (inout ArrayParameter) -> Void
    ) -> String {
        var array = ArrayParameter(type)
        fill(&array)
        parameters.append(array)
        return next()
    }

    private mutating func next() -> String {
        parameterCount += 1
        return "$\(parameterCount)"
    }
}

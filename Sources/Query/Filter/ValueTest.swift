// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// SQL of a test of one expression whose type is known.
struct ValueTest {
    let test: FilterTest
    /// The values of `oneOf`, by type.
    private let values: TypedValues

    /// `noneOf` is the business of the caller, who knows what being there means.
    init(_ test: FilterTest) {
        self.test = test
        if case .oneOf(let list) = test {
            values = TypedValues(list)
        } else {
            values = TypedValues([])
        }
    }

    /// What is true where `expression`, of `type`, passes; nil where none of that type does.
    func sql(
        of expression: String, _ type: AttributeType, in statement: inout SQLStatement
    ) -> String? {
        switch (test, type) {
        case (.exists, _): "\(expression) IS NOT NULL"
        case (.oneOf, _): values.sql(of: expression, type, in: &statement)
        case (.contains(let text), .string): "strpos(\(expression), \(statement.bind(text))) > 0"
        case (.matches(let regex), .string): "\(expression) ~ \(statement.bind(regex))"
        case (.order(let order, .string(let text)), .string):
            "\(expression) COLLATE \"C\" \(order.sql) \(statement.bind(text))"
        case (.order(let order, .int(let number)), .int):
            "\(expression) \(order.sql) \(statement.bind(number))"
        case (.order(let order, .int(let number)), .double):
            "\(expression) \(order.sql) \(statement.bind(Double(number)))"
        case (.order(let order, .double(let number)), .int),
            (.order(let order, .double(let number)), .double):
            "\(expression) \(order.sql) \(statement.bind(number))"
        case (.noneOf, _), (.contains, _), (.matches, _), (.order, _): nil
        }
    }

    /// The types of which values can pass.
    var types: [AttributeType] {
        switch test {
        case .exists: AttributeType.allCases
        case .oneOf: values.types
        case .contains, .matches, .order(_, .string): [.string]
        case .order(_, .int), .order(_, .double): [.int, .double]
        case .order(_, .bool), .noneOf: []
        }
    }

    /// For `oneOf`: `{"key":value}` of each value in the forms that jsonb columns have.
    func forms(of key: String) -> [String] { values.forms(of: key) }

    /// For `oneOf`: the beginnings of its strings, as long as indexes hold them.
    func prefixes(in statement: inout SQLStatement) -> String {
        statement.bind(
            values.strings.map { String(String.UnicodeScalarView($0.unicodeScalars.prefix(200))) })
    }
}

/// Values by the types that they can be equal to.
private struct TypedValues {
    var strings: [String] = []
    var ints: [Int64] = []
    var doubles: [Double] = []
    var bools: [Bool] = []

    init(_ values: [FilterValue]) {
        for value in values {
            switch value {
            case .string(let text): strings.append(text)
            case .bool(let truth): bools.append(truth)
            case .int(let number):
                ints.append(number)
                if let same = Double(exactly: number) { doubles.append(same) }
            case .double(let number):
                doubles.append(number)
                if let same = Int64(exactly: number) { ints.append(same) }
            }
        }
    }

    var types: [AttributeType] {
        let present: [(AttributeType, Bool)] = [
            (.string, !strings.isEmpty), (.int, !ints.isEmpty), (.double, !doubles.isEmpty),
            (.bool, !bools.isEmpty),
        ]
        return present.filter(\.1).map(\.0)
    }

    func sql(
        of expression: String, _ type: AttributeType, in statement: inout SQLStatement
    ) -> String? {
        guard types.contains(type) else { return nil }
        let list =
            switch type {
            case .string: statement.bind(strings)
            case .int: statement.bind(ints)
            case .double: statement.bind(doubles)
            case .bool: statement.bind(bools)
            case .bytes: preconditionFailure("no value of a filter is bytes")
            }
        return "\(expression) = ANY (\(list))"
    }

    func forms(of key: String) -> [String] {
        strings.map { text in TypedValues.form(key) { $0.text(text) } }
            + bools.map { truth in TypedValues.form(key) { $0.truth(truth) } }
            + ints.map { number in TypedValues.form(key) { $0.number(number) } }
            + doubles.map { number in TypedValues.form(key) { TypedValues.write(number, to: &$0) } }
    }

    private static func form(_ key: String, _ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(key)
            write(&writer)
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// As docs/attributes.md says; jsonb takes 5.0 and 5 for the same.
    private static func write(_ number: Double, to writer: inout JSONWriter) {
        let isPlain = number == 0 || (1e-6..<1e17).contains(number.magnitude)
        guard !isPlain else { return writer.decimal(number) }
        writer.object { writer in
            writer.key("$double")
            writer.text("\(number)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What a value looks like, in the words of JSON Schema 2020-12, which OpenAPI 3.1 uses.
indirect enum Schema: Sendable {
    case text
    /// A string that is one of these.
    case choice([String])
    /// A string of this form, as an ECMA-262 regular expression.
    case form(String)
    case integer
    /// A number of this range.
    case count(ClosedRange<Int>)
    case number
    case truth
    /// Any JSON value.
    case any
    case list(Schema)
    /// Of up to so many elements.
    case shortList(Schema, countMax: Int)
    /// Members that are always there, and those that may be.
    case object([(name: String, schema: Schema)], optional: [(name: String, schema: Schema)] = [])
    /// An object of any members that look like this.
    case map(Schema)
    case nullable(Schema)
    case oneOf([Schema])
    /// By its name among the components.
    case named(String)

    /// 64 bits as a string of digits.
    static let digits = Schema.form("^-?[0-9]+$")
    static let traceID = Schema.form("^[0-9a-f]{32}$")
    /// Any text that PostgreSQL can hold.
    static let storable = Schema.form("^[^\\u0000]*$")
    static let spanID = Schema.form("^[0-9a-f]{16}$")
    /// Attributes by their keys; docs/attributes.md says how values are written.
    static let attributes = Schema.map(.any)

    var json: JSONText {
        switch self {
        case .text: Schema.typed("string")
        case .choice(let values):
            Schema.typed("string", [("enum", .list(values.map { .text($0) }))])
        case .form(let pattern): Schema.typed("string", [("pattern", .text(pattern))])
        case .integer: Schema.typed("integer")
        case .count(let range):
            Schema.typed(
                "integer",
                [
                    ("minimum", .number(Int64(range.lowerBound))),
                    ("maximum", .number(Int64(range.upperBound))),
                ])
        case .number: Schema.typed("number")
        case .truth: Schema.typed("boolean")
        case .any: .object([])
        case .list(let element): Schema.typed("array", [("items", element.json)])
        case .shortList(let element, let countMax):
            Schema.typed(
                "array", [("items", element.json), ("maxItems", .number(Int64(countMax)))])
        case .object(let members, let optional): Schema.object(members, optional)
        case .map(let value): Schema.typed("object", [("additionalProperties", value.json)])
        case .nullable(let schema):
            .object([("anyOf", .list([schema.json, Schema.typed("null")]))])
        case .oneOf(let schemas): .object([("anyOf", .list(schemas.map(\.json)))])
        case .named(let name): .object([("$ref", .text("#/components/schemas/\(name)"))])
        }
    }

    private static func typed(_ type: String, _ further: [(String, JSONText)] = []) -> JSONText {
        .object([("type", .text(type))] + further)
    }

    private static func object(
        _ members: [(name: String, schema: Schema)], _ optional: [(name: String, schema: Schema)]
    ) -> JSONText {
        typed(
            "object",
            [
                ("properties", .object((members + optional).map { ($0.name, $0.schema.json) })),
                ("required", .list(members.map { .text($0.name) })),
                ("additionalProperties", .truth(false)),
            ])
    }
}

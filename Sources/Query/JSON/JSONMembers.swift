// SPDX-License-Identifier: Apache-2.0

/// The members of one object of a request's body. They are taken one by one; those that nobody took
/// are unknown, and an error.
package struct JSONMembers: Sendable {
    /// Where the object is, as a JSON pointer (RFC 6901).
    package let pointer: String
    private var rest: [JSONMember]

    /// Errors: `invalidParameter` where `value` is no object.
    package init(_ value: JSONValue, at pointer: String) throws(QueryFailure) {
        guard case .object(let members) = value else {
            throw QueryFailure(
                .invalidParameter, "here is \(value.kindName) where an object has to be",
                pointer: pointer)
        }
        self.pointer = pointer
        rest = members
    }

    /// The pointer of the member called `name`.
    package func pointer(to name: String) -> String { JSONMembers.pointer(pointer, name) }

    /// The pointer of what is called `name` in the object at `pointer`.
    package static func pointer(_ pointer: String, _ name: String) -> String {
        let escaped = name.flatMap { character -> String in
            switch character {
            case "~": "~0"
            case "/": "~1"
            default: String(character)
            }
        }
        return "\(pointer)/\(String(escaped))"
    }

    /// Takes the member called `name`; nil where it is not there.
    package mutating func take(_ name: String) -> JSONValue? {
        guard let index = rest.firstIndex(where: { $0.name == name }) else { return nil }
        return rest.remove(at: index).value
    }

    /// Takes a string; nil where it is not there, or null.
    package mutating func takeText(_ name: String) throws(QueryFailure) -> String? {
        switch take(name) {
        case nil, .null: return nil
        case .string(let text): return text
        case .some(let other): throw wrong(name, other, "a string")
        }
    }

    /// Takes a whole number; nil where it is not there, or null.
    package mutating func takeInt(_ name: String) throws(QueryFailure) -> Int64? {
        switch take(name) {
        case nil, .null: return nil
        case .int(let number): return number
        case .some(let other): throw wrong(name, other, "a whole number")
        }
    }

    /// Takes a boolean; nil where it is not there, or null.
    package mutating func takeBool(_ name: String) throws(QueryFailure) -> Bool? {
        switch take(name) {
        case nil, .null: return nil
        case .bool(let value): return value
        case .some(let other): throw wrong(name, other, "a boolean")
        }
    }

    /// Takes an object; nil where it is not there, or null.
    package mutating func takeMembers(_ name: String) throws(QueryFailure) -> JSONMembers? {
        switch take(name) {
        case nil, .null: return nil
        case .some(let value): return try JSONMembers(value, at: pointer(to: name))
        }
    }

    /// To be called when all are taken. Errors: `invalidParameter`, which names what is left.
    package func checkNothingIsLeft() throws(QueryFailure) {
        guard let first = rest.first else { return }
        throw QueryFailure(
            .invalidParameter, "there is no member \"\(first.name)\" here",
            pointer: pointer(to: first.name))
    }

    private func wrong(_ name: String, _ value: JSONValue, _ wanted: String) -> QueryFailure {
        QueryFailure(
            .invalidParameter, "\(name) is \(value.kindName), and has to be \(wanted)",
            pointer: pointer(to: name))
    }
}

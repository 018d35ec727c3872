// SPDX-License-Identifier: Apache-2.0

/// Makes filters out of what clients write, and refuses what makes none: a condition that is not
/// applied would be worse than an error. Errors: `invalidFilter`, with a pointer.
package struct FilterReader: Sendable {
    private let subject: FilterSubject
    private var conditionCount = 0

    package init(of subject: FilterSubject) { self.subject = subject }

    // MARK: JSON

    /// The conjunction of the list at `pointer`; of nothing where there is no list.
    package mutating func filters(
        _ value: JSONValue?, at pointer: String
    ) throws(QueryFailure) -> Filter {
        guard let value, value != .null else { return .everything }
        return .all(try list(value, at: pointer, depth: 0))
    }

    private mutating func list(
        _ value: JSONValue, at pointer: String, depth: Int
    ) throws(QueryFailure) -> [Filter] {
        guard case .list(let elements) = value else {
            throw invalid("here is \(value.kindName) where a list of filters has to be", pointer)
        }
        var filters: [Filter] = []
        for (index, element) in elements.enumerated() {
            filters.append(try filter(element, at: "\(pointer)/\(index)", depth: depth + 1))
        }
        return filters
    }

    private mutating func filter(
        _ value: JSONValue, at pointer: String, depth: Int
    ) throws(QueryFailure) -> Filter {
        guard depth <= Filter.depthMax else {
            throw invalid("filters nest deeper than \(Filter.depthMax) levels", pointer)
        }
        guard case .object(let members) = value else {
            throw invalid("here is \(value.kindName) where a filter has to be", pointer)
        }
        let names = Set(members.map(\.name))
        guard let word = ["and", "or", "not"].first(where: { names.contains($0) }) else {
            return try condition(members, at: pointer)
        }
        let inner = JSONMembers.pointer(pointer, word)
        guard members.count == 1 else {
            throw invalid("\"\(word)\" stands alone in its object", inner)
        }
        switch word {
        case "and": return .all(try list(members[0].value, at: inner, depth: depth))
        case "or": return .any(try list(members[0].value, at: inner, depth: depth))
        default: return .not(try filter(members[0].value, at: inner, depth: depth + 1))
        }
    }

    private mutating func condition(
        _ members: [JSONMember], at pointer: String
    ) throws(QueryFailure) -> Filter {
        var (field, operatorName): (String?, String?)
        var value: JSONValue?
        for member in members {
            switch (member.name, member.value) {
            case ("field", .string(let text)): field = text
            case ("operator", .string(let text)): operatorName = text
            case ("value", let given): value = given
            case ("field", let other), ("operator", let other):
                throw invalid(
                    "\(member.name) is \(other.kindName), and has to be a string",
                    JSONMembers.pointer(pointer, member.name))
            default:
                throw invalid(
                    "a filter has field, operator and value, or one of and, or, not; there is no "
                        + "\"\(member.name)\"", JSONMembers.pointer(pointer, member.name))
            }
        }
        guard let field else { throw invalid("the filter has no field", pointer) }
        guard let operatorName else { throw invalid("the filter has no operator", pointer) }
        let places = Places(
            field: JSONMembers.pointer(pointer, "field"),
            operation: JSONMembers.pointer(pointer, "operator"),
            value: JSONMembers.pointer(pointer, "value"))
        guard let operation = FilterOperator(rawValue: operatorName) else {
            throw invalid(
                "there is no operator \"\(operatorName)\"; there are "
                    + FilterOperator.allCases.map(\.rawValue).joined(separator: ", "),
                places.operation)
        }
        return try condition(field, operation, value, places)
    }

    /// Where the parts of a condition were written.
    struct Places {
        let field: String
        let operation: String
        let value: String
    }

    // MARK: One condition

    mutating func condition(
        _ fieldText: String, _ operation: FilterOperator, _ value: JSONValue?, _ places: Places
    ) throws(QueryFailure) -> Filter {
        let fields = try fields(fieldText, at: places.field)
        conditionCount += fields.count
        guard conditionCount <= Filter.conditionCountMax else {
            throw invalid(
                "there are more than \(Filter.conditionCountMax) conditions", places.field)
        }
        var conditions: [Filter] = []
        for field in fields {
            let read = FilterValueReader(field: field, name: fieldText, places: places)
            conditions.append(.condition(field, try read.test(operation, value)))
        }
        return conditions.count == 1 ? conditions[0] : .any(conditions)
    }

    /// What `text` names: an intrinsic field, or `scope.key`; `attr.key` is the item's own
    /// attribute or that of its resource.
    private func fields(_ text: String, at pointer: String) throws(QueryFailure) -> [FilterField] {
        if let field = IntrinsicField(rawValue: text), field.exists(for: subject) {
            return [.intrinsic(field)]
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { throw unknown(text, pointer) }
        let key = String(parts[1])
        guard key.utf8.count <= FilterReader.keySizeBytesMax, !key.utf8.contains(0) else {
            throw invalid(
                "the key is longer than \(FilterReader.keySizeBytesMax) bytes, or has a NUL "
                    + "character", pointer)
        }
        if parts[0] == "attr" {
            return [AttributeScope.own(of: subject), .resource].map { .attribute($0, key: key) }
        }
        guard let scope = AttributeScope(rawValue: String(parts[0])),
            scope.exists(for: subject)
        else { throw unknown(text, pointer) }
        return [.attribute(scope, key: key)]
    }

    /// Longer keys are stored, and are not in the registry.
    private static let keySizeBytesMax = 512

    private func unknown(_ field: String, _ pointer: String) -> QueryFailure {
        let names = FilterReader.intrinsicNames(of: subject)
        let attributes = FilterReader.attributePrefixes(of: subject).map { "\($0)KEY" }
        return invalid(
            "there is no field \"\(field)\" here; there are "
                + (names + attributes).joined(separator: ", "), pointer)
    }

    private func invalid(_ detail: String, _ pointer: String) -> QueryFailure {
        QueryFailure(.invalidFilter, detail, pointer: pointer)
    }
}

/// The operators by their names in JSON.
package enum FilterOperator: String, CaseIterable, Sendable {
    case eq, ne, gt, gte, lt, lte
    case isIn = "in"
    case notIn = "not_in"
    case contains, regex, exists
}

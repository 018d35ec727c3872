// SPDX-License-Identifier: Apache-2.0

/// Turns an operator and a written value into what is tested of one field.
struct FilterValueReader {
    let field: FilterField
    /// As it was written, for messages.
    let name: String
    let places: FilterReader.Places

    func test(
        _ operation: FilterOperator, _ value: JSONValue?
    ) throws(QueryFailure) -> FilterTest {
        switch operation {
        case .exists: return try existence(value)
        case .eq: return .oneOf([try self.value(try given(value), at: places.value)])
        case .ne: return .noneOf([try self.value(try given(value), at: places.value)])
        case .isIn: return .oneOf(try list(try given(value)))
        case .notIn: return .noneOf(try list(try given(value)))
        case .gt: return try order(.gt, value)
        case .gte: return try order(.gte, value)
        case .lt: return try order(.lt, value)
        case .lte: return try order(.lte, value)
        case .contains:
            return .contains(
                try text(try given(value), sizeBytesMax: Filter.textSizeBytesMax, operation))
        case .regex:
            return .matches(
                try text(try given(value), sizeBytesMax: Filter.regexSizeBytesMax, operation))
        }
    }

    private func given(_ value: JSONValue?) throws(QueryFailure) -> JSONValue {
        guard let value else { throw invalid("the filter on \(name) has no value", places.value) }
        return value
    }

    private func existence(_ value: JSONValue?) throws(QueryFailure) -> FilterTest {
        guard value == nil || value == .bool(true) else {
            throw invalid(
                "exists has no value, or true; write not around it for what is absent",
                places.value)
        }
        return .exists
    }

    private func list(_ value: JSONValue) throws(QueryFailure) -> [FilterValue] {
        guard case .list(let elements) = value, !elements.isEmpty,
            elements.count <= Filter.listCountMax
        else {
            throw invalid(
                "in and not_in take a list of 1 to \(Filter.listCountMax) values", places.value)
        }
        var values: [FilterValue] = []
        for (index, element) in elements.enumerated() {
            values.append(try self.value(element, at: "\(places.value)/\(index)"))
        }
        return values
    }

    private func order(
        _ order: FilterOrder, _ value: JSONValue?
    ) throws(QueryFailure) -> FilterTest {
        guard !isIdentity else { throw unordered(order.rawValue, places.operation) }
        let value = try self.value(try given(value), at: places.value)
        if case .bool = value { throw unordered(order.rawValue, places.value) }
        return .order(order, value)
    }

    private func unordered(_ operation: String, _ pointer: String) -> QueryFailure {
        invalid("\(operation) makes no sense for \(name): use eq, ne, in, not_in", pointer)
    }

    private func text(
        _ value: JSONValue, sizeBytesMax: Int, _ operation: FilterOperator
    ) throws(QueryFailure) -> String {
        guard isText else {
            throw invalid("\(operation.rawValue) needs a field of text", places.operation)
        }
        guard case .string(let text) = value, text.utf8.count <= sizeBytesMax,
            !text.utf8.contains(0)
        else {
            throw invalid(
                "\(operation.rawValue) takes a string of up to \(sizeBytesMax) bytes without NUL "
                    + "characters", places.value)
        }
        return text
    }

    private var isIdentity: Bool {
        if case .intrinsic(let field) = field { field.kind.isIdentity } else { false }
    }

    private var isText: Bool {
        if case .intrinsic(let field) = field { field.kind == .text } else { true }
    }

    // MARK: Values

    private func value(_ value: JSONValue, at pointer: String) throws(QueryFailure) -> FilterValue {
        guard case .intrinsic(let field) = field else { return try plain(value, at: pointer) }
        switch field.kind {
        case .text:
            guard case .string = value else { throw wrong(value, "a string", pointer) }
            return try plain(value, at: pointer)
        case .integer:
            guard case .int(let number) = value else { throw wrong(value, "an integer", pointer) }
            return .int(number)
        case .duration: return .int(try durationNs(value, at: pointer))
        case .named(let numbers):
            guard case .string(let text) = value, let number = numbers[text.uppercased()] else {
                throw wrong(value, "one of \(numbers.keys.sorted())", pointer)
            }
            return .int(number)
        case .traceID:
            guard case .string(let text) = value, let id = TraceID(text) else {
                throw wrong(value, "32 or 16 hexadecimal digits, not all zero", pointer)
            }
            return .string(id.text)
        case .spanID:
            guard case .string(let text) = value, let id = SpanID(text) else {
                throw wrong(value, "16 hexadecimal digits, not all zero", pointer)
            }
            return .int(id.bits)
        }
    }

    private func durationNs(
        _ value: JSONValue, at pointer: String
    ) throws(QueryFailure) -> Int64 {
        switch value {
        case .int(let number): return number
        case .string(let text):
            if let number = TimeText.durationNs(text) { return number }
        default: break
        }
        throw wrong(value, "nanoseconds, or a duration such as 250ms", pointer)
    }

    private func plain(_ value: JSONValue, at pointer: String) throws(QueryFailure) -> FilterValue {
        switch value {
        case .bool(let value): return .bool(value)
        case .int(let number): return .int(number)
        case .double(let number): return .double(number)
        case .string(let text):
            guard text.utf8.count <= Filter.textSizeBytesMax, !text.utf8.contains(0) else {
                throw wrong(
                    value, "at most \(Filter.textSizeBytesMax) bytes without NUL characters",
                    pointer)
            }
            return .string(text)
        case .null, .list, .object: throw wrong(value, "a string, number or boolean", pointer)
        }
    }

    private func wrong(
        _ value: JSONValue, _ wanted: String, _ pointer: String
    ) -> QueryFailure {
        invalid("\(name) is compared with \(value.kindName), and takes \(wanted)", pointer)
    }

    private func invalid(_ detail: String, _ pointer: String) -> QueryFailure {
        QueryFailure(.invalidFilter, detail, pointer: pointer)
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Collector
internal import Query

/// Asks the query API, and reads what it says.
struct QueryClient {
    private let client: APIClient

    init(_ client: APIClient) { self.client = client }

    /// The text of the answer to `path` with `parameters`. A problem that the daemon tells is the
    /// error.
    func text(
        _ path: String, _ parameters: [(name: String, value: String)] = []
    ) throws(DaemonError) -> String {
        let answer = try client.answer(
            to: QueryClient.target(path, parameters), accepting: "application/json")
        guard answer.status == 200 else { throw problem(answer) }
        return answer.body
    }

    /// Hands what is streamed in answer to `write`, piece by piece. Errors: as above, and `failed`
    /// where it broke off.
    func stream(
        _ path: String, _ parameters: [(name: String, value: String)],
        to write: (ByteSlice) throws(DaemonError) -> Void
    ) throws(DaemonError) {
        let refusal = try client.stream(
            QueryClient.target(path, parameters), accepting: "*/*", to: write)
        if let refusal { throw problem(refusal) }
    }

    private static func target(
        _ path: String, _ parameters: [(name: String, value: String)]
    ) -> String {
        let pairs = parameters.map { "\($0.name)=\(encoded($0.value))" }
        return pairs.isEmpty ? path : "\(path)?\(pairs.joined(separator: "&"))"
    }

    /// The same, as the members of the object that it is.
    func object(
        _ path: String, _ parameters: [(name: String, value: String)] = []
    ) throws(DaemonError) -> JSONObject {
        let body = try text(path, parameters)
        guard let value = try? JSONValue(Array(body.utf8)), let object = JSONObject(value) else {
            throw DaemonError(
                .failed,
                "\(client.endpoint) answers with something else than a JSON object; check that it "
                    + "is Starling's listen.api")
        }
        return object
    }

    private func problem(_ answer: APIClient.Answer) -> DaemonError {
        let object = (try? JSONValue(Array(answer.body.utf8))).flatMap { JSONObject($0) }
        guard let detail = object?["detail"]?.text ?? object?["error"]?.text else {
            return DaemonError(
                .failed,
                "\(client.endpoint) answers with status \(answer.status); check that it is "
                    + "Starling's listen.api")
        }
        let isAway = object?["type"]?.text == "database-unavailable"
        return DaemonError(isAway ? .databaseUnreachable : .failed, detail)
    }

    /// What is not unreserved in a URL is escaped (RFC 3986, section 2).
    static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                    || "-._~".unicodeScalars.contains(scalar)
            {
                encoded.unicodeScalars.append(scalar)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + String(repeating: "0", count: 2 - digits.count) + digits
            }
        }
        return encoded
    }
}

/// An object of an answer, by the names of its members.
struct JSONObject {
    private let members: [String: JSONValue]

    init?(_ value: JSONValue) {
        guard case .object(let members) = value else { return nil }
        self.members = Dictionary(members.map { ($0.name, $0.value) }) { _, last in last }
    }

    subscript(name: String) -> JSONValue? { members[name] }

    /// The member as people read it; empty where it is null or not there.
    func text(_ name: String) -> String { members[name]?.shown ?? "" }

    /// A number, also one that is a string of digits.
    func integer(_ name: String) -> Int64? {
        switch members[name] {
        case .int(let value)?: value
        case .string(let text)?: Int64(text)
        default: nil
        }
    }

    func number(_ name: String) -> Double? {
        switch members[name] {
        case .int(let value)?: Double(value)
        case .double(let value)?: value
        default: nil
        }
    }

    /// The objects of a list.
    func objects(_ name: String) -> [JSONObject] {
        guard case .list(let elements)? = members[name] else { return [] }
        return elements.compactMap { JSONObject($0) }
    }

    func texts(_ name: String) -> [String] {
        guard case .list(let elements)? = members[name] else { return [] }
        return elements.compactMap(\.text)
    }
}

extension JSONValue {
    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// For people: strings without quotes, and anything else as JSON has it.
    var shown: String {
        switch self {
        case .null: ""
        case .bool(let truth): "\(truth)"
        case .int(let number): "\(number)"
        case .double(let number): "\(number)"
        case .string(let text): text
        case .list(let elements): "[" + elements.map(\.shown).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { "\($0.name): \($0.value.shown)" }.joined(separator: ", ") + "}"
        }
    }
}

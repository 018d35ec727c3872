// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird

/// One method of one path, as the OpenAPI document shows it.
struct Operation: Sendable {
    struct Parameter: Sendable {
        let name: String
        let schema: Schema
        let summary: String
        var isRequired = false
        var isInPath = false
        /// Whether any name with this one before it, as in `attr.`, is meant; OpenAPI cannot say
        /// it.
        var isPrefix = false
        /// Whether nobody can make up a value, but only hand one back that an answer gave: what
        /// the document shows of it would be refused. The summary of the operation names it.
        var isOpaque = false

        static func path(_ name: String, _ schema: Schema, _ summary: String) -> Parameter {
            Parameter(
                name: name, schema: schema, summary: summary, isRequired: true, isInPath: true)
        }

        static func query(
            _ name: String, _ schema: Schema, _ summary: String, isRequired: Bool = false
        ) -> Parameter {
            Parameter(name: name, schema: schema, summary: summary, isRequired: isRequired)
        }
    }

    let method: HTTPRequest.Method
    /// As it is registered: `api/traces/:id`.
    let path: String
    let summary: String
    var parameters: [Parameter] = []
    var body: Schema?
    /// The content types of the answer, with what it looks like.
    let answers: [(contentType: String, schema: Schema)]
    /// The kinds of problem that there may be beside those that every operation may have.
    var problemStatuses: [Int] = []

    init(
        _ method: HTTPRequest.Method, _ path: String, _ summary: String,
        parameters: [Parameter] = [], body: Schema? = nil, answers: Schema,
        problemStatuses: [Int] = []
    ) {
        self.init(
            method, path, summary, parameters: parameters, body: body,
            streams: [("application/json", answers)], problemStatuses: problemStatuses)
    }

    /// With an answer in one of several forms.
    init(
        _ method: HTTPRequest.Method, _ path: String, _ summary: String,
        parameters: [Parameter] = [], body: Schema? = nil,
        streams: [(contentType: String, schema: Schema)], problemStatuses: [Int] = []
    ) {
        self.method = method
        self.path = path
        self.summary = summary
        self.parameters = parameters
        self.body = body
        answers = streams
        self.problemStatuses = problemStatuses
    }

    /// `/api/traces/{id}`.
    var template: String {
        "/"
            + path.split(separator: "/").map { part in
                part.first == ":" ? "{\(part.dropFirst())}" : String(part)
            }.joined(separator: "/")
    }

    var json: JSONText {
        var members: [(String, JSONText)] = [
            ("summary", .text(summary)),
            ("operationId", .text(method.rawValue.lowercased() + operationName)),
            ("parameters", .list(parameters.filter { !$0.isPrefix && !$0.isOpaque }.map(\.json))),
        ]
        if let body {
            let content: JSONText = .object([
                ("application/json", .object([("schema", body.json)]))
            ])
            members.append(
                ("requestBody", .object([("required", .truth(true)), ("content", content)])))
        }
        members.append(("responses", responses))
        return .object(members)
    }

    private var operationName: String {
        path.split { !$0.isLetter }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private var responses: JSONText {
        let content = answers.map {
            ($0.contentType, JSONText.object([("schema", $0.schema.json)]))
        }
        let statuses = Operation.commonStatuses + problemStatuses + (body == nil ? [] : [413])
        return .object(
            [
                (
                    "200",
                    .object([("description", .text("The answer")), ("content", .object(content))])
                ), ("304", .object([("description", .text("Nothing has changed"))])),
            ] + statuses.sorted().map { ("\($0)", Operation.problem) })
    }

    /// Bad parameters, no token, no scope, and a database that does not answer.
    private static let commonStatuses = [400, 401, 403, 500, 503]

    private static let problem: JSONText = .object([
        ("description", .text("What is wrong, and what to do")),
        (
            "content",
            .object([
                (
                    "application/problem+json",
                    .object([("schema", Schema.named("Problem").json)])
                ), ("application/json", .object([("schema", Schema.named("Refusal").json)])),
            ])
        ),
    ])
}

extension Operation.Parameter {
    fileprivate var json: JSONText {
        .object([
            ("name", .text(name)), ("in", .text(isInPath ? "path" : "query")),
            ("required", .truth(isRequired)), ("description", .text(summary)),
            ("schema", schema.json),
        ])
    }
}

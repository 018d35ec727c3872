// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird

/// The description of the query API for programs (OpenAPI 3.1).
enum OpenAPIDocument {
    /// Made once, when the routes are.
    static func text(version: String) -> String {
        var paths: [(String, JSONText)] = []
        for operation in operations {
            let entry = (operation.method.rawValue.lowercased(), operation.json)
            if let index = paths.firstIndex(where: { $0.0 == operation.template }),
                case .object(let methods) = paths[index].1
            {
                paths[index].1 = .object(methods + [entry])
            } else {
                paths.append((operation.template, .object([entry])))
            }
        }
        let document: JSONText = .object([
            ("openapi", .text("3.1.0")),
            (
                "info",
                .object([
                    ("title", .text("Starling")), ("version", .text(version)),
                    ("summary", .text("Questions about stored traces, logs and metrics")),
                ])
            ), ("paths", .object(paths)), ("components", components),
            ("security", .list([.object([]), .object([("token", .list([]))])])),
        ])
        return "\(document)\n"
    }

    private static var components: JSONText {
        .object([
            ("schemas", .object(schemas.map { ($0.name, $0.schema.json) })),
            (
                "securitySchemes",
                .object([
                    ("token", .object([("type", .text("http")), ("scheme", .text("bearer"))]))
                ])
            ),
        ])
    }

    /// What is served, in the order of the document. A test holds it against the routes.
    static let operations =
        TraceRoutes.operations + SearchRoutes.operations + ExportRoutes.operations
        + TailRoutes.operations + ServiceRoutes.operations + MetricRoutes.operations
        + FieldRoutes.operations + AdminRoutes.operations

    private static let schemas: [(name: String, schema: Schema)] =
        [
            (
                "Problem",
                .object(
                    [
                        ("type", .text), ("title", .text), ("status", .integer), ("detail", .text),
                    ],
                    optional: [
                        (
                            "errors",
                            .list(.object([("pointer", .text), ("detail", .text)]))
                        ), ("retry_after", .integer),
                    ])
            ), ("Refusal", .object([("status", .integer), ("error", .text)])),
        ] + TraceRoutes.schemas + SearchRoutes.schemas + TailRoutes.schemas
        + ServiceRoutes.schemas + MetricRoutes.schemas + AdminRoutes.schemas
}

// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

extension FieldRoutes {
    private static let common: [Operation.Parameter] = [
        .query("signal", .choice(signals.map(\.name)), "Of what", isRequired: true),
        .query("prefix", .storable, "Only what begins with this"),
        .query("limit", .count(1...PageLimit.countMax), "How many at most"),
    ]

    static let operations = [
        Operation(
            .get, "api/fields", "The fields that filters may name, with the types of their values",
            parameters: common,
            answers: .object([
                (
                    "fields",
                    .list(
                        .object([
                            ("field", .text),
                            (
                                "types",
                                .list(
                                    .choice(["string", "int", "double", "bool", "bytes", "other"]))
                            ), ("is_column", .truth),
                        ]))
                ), ("warnings", .list(.text)),
            ])),
        Operation(
            .get, "api/fields/:field/values", "The values of a field",
            parameters: [
                .path(
                    "field", .form("^(service|scope_name|resource\\.[a-z]+)$"),
                    "As filters name it, percent-encoded")
            ] + common,
            answers: .object([("values", .list(.text)), ("warnings", .list(.text))])),
    ]
}

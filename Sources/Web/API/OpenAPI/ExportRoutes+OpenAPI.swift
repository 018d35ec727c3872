// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

extension ExportRoutes {
    static let operations = elements.map { elements in
        Operation(
            .get, "api/\(elements.rawValue)/export", "All of them, oldest first, as a stream",
            parameters: SearchRoutes.parameters(of: elements) + [
                .query(
                    "format", .choice(ExportFormat.allCases.map(\.rawValue)),
                    "Else by Accept, else ndjson")
            ],
            streams: [
                ("application/x-ndjson", .text),
                (ExportFormat.csv.contentType, .text),
            ], problemStatuses: [422])
    }
}

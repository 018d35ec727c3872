// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

extension ExportRoutes {
    private static let format = Operation.Parameter.query(
        "format", .choice(ExportFormat.allCases.map(\.rawValue)), "Else by Accept, else ndjson")

    private static let streams: [(contentType: String, schema: Schema)] = [
        ("application/x-ndjson", .text), (ExportFormat.csv.contentType, .text),
    ]

    private static func parameters(of items: ExportQuestion.Items) -> [Operation.Parameter] {
        let own =
            switch items {
            case .spans: SearchRoutes.parameters(of: .spans)
            case .logs: SearchRoutes.parameters(of: .logs)
            case .metrics:
                SearchRoutes.page + SearchRoutes.common + [MetricRoutes.type]
                    + SearchRoutes.attributes(.series)
            }
        return own + [format]
    }

    static let operations =
        ExportQuestion.Items.allCases.flatMap { items in
            let path = "api/\(items.rawValue)/export"
            return [
                Operation(
                    .get, path, "All of them, oldest first, as a stream",
                    parameters: parameters(of: items), streams: streams, problemStatuses: [422]),
                Operation(
                    .post, path, "The same, with filters in a body", parameters: [format],
                    body: SearchRoutes.body, streams: streams, problemStatuses: [422]),
            ]
        } + [
            Operation(
                .get, "api/metrics/:name/export", "All points of one metric, as a stream",
                parameters: [MetricRoutes.name] + parameters(of: .metrics), streams: streams,
                problemStatuses: [404, 422])
        ]
}

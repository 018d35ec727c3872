// SPDX-License-Identifier: Apache-2.0

/// SpanKind as Jaeger writes it.
package enum JaegerSpanKind: Int64, CaseIterable, Sendable {
    case internalKind = 1
    case server, client, producer, consumer

    /// The value of the tag `span.kind`.
    package var text: String {
        switch self {
        case .internalKind: "internal"
        case .server: "server"
        case .client: "client"
        case .producer: "producer"
        case .consumer: "consumer"
        }
    }

    /// Nil where `text` is none; in either case.
    package init?(text: String) {
        let text = text.lowercased()
        guard let kind = JaegerSpanKind.allCases.first(where: { $0.text == text }) else {
            return nil
        }
        self = kind
    }
}

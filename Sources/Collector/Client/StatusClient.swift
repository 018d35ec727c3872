// SPDX-License-Identifier: Apache-2.0

/// Asks a daemon how it is doing.
package struct StatusClient {
    /// In which form the daemon answers.
    package enum Form: Sendable {
        /// A screen for people.
        case text
        case json

        fileprivate var contentType: String {
            switch self {
            case .text: "text/plain"
            case .json: "application/json"
            }
        }
    }

    private let client: APIClient

    package init(_ client: APIClient) { self.client = client }

    /// What the daemon says. Errors: those of `APIClient`, and `failed` for another status.
    package func status(_ form: Form) throws(DaemonError) -> String {
        let answer = try client.answer(to: "/api/status", accepting: form.contentType)
        guard answer.status == 200 else {
            throw DaemonError(
                .failed,
                "\(client.endpoint) answers with status \(answer.status); check that it is "
                    + "Starling's listen.api")
        }
        return answer.body
    }
}

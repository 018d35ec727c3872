// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import Query

/// How an API tells that a request has no answer: each that is served has a form of its own.
struct FailureForm: Sendable {
    /// Of a question that could not be answered.
    let failure: @Sendable (QueryFailure) -> Response
    /// Of a request that was turned away before: by its method, or for who it is from.
    let refusal: @Sendable (HTTPResponse.Status, String) -> Response

    /// That of the native API.
    static let problem = FailureForm(failure: Problem.response, refusal: Routes.problem)
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird
internal import Query

/// Jaeger's query API, in the place where it is mounted.
enum JaegerRoutes {
    /// Where it is on `listen.api`, whose own paths begin with `api` as well.
    static let mount = "jaeger/"

    /// `mount` is empty, or ends in a slash.
    static func add(
        to router: Router<PeerContext>, at mount: String, answering query: QueryService,
        for authenticator: (any Authenticator)?
    ) {
        let v1 = QueryRoutes(
            to: router, answering: query, for: authenticator, tellingFailuresAs: JaegerForms.v1)
        JaegerV1Routes.add(to: v1, at: mount)
        v1.seal()
        let v3 = QueryRoutes(
            to: router, answering: query, for: authenticator, tellingFailuresAs: JaegerForms.v3)
        JaegerV3Routes.add(to: v3, at: mount)
        v3.seal()
    }
}

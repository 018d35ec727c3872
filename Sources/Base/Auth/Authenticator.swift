// SPDX-License-Identifier: Apache-2.0

/// What a request wants to do, as far as that decides who may.
package enum Access: Sendable {
    /// Send telemetry: scope `ingest`.
    case ingest
    /// See what is stored, or how the daemon is: scope `read`.
    case read
    /// Change what is kept: scope `admin`.
    case admin
    /// Nothing that needs a scope; any valid token will do.
    case any

    package var scopes: TokenScopes {
        switch self {
        case .ingest: .ingest
        case .read: .read
        case .admin: .admin
        case .any: []
        }
    }
}

/// Why a request is turned away before its body is looked at.
package enum AuthFailure: String, CaseIterable, Error, Sendable {
    /// It brings no token.
    case missing
    /// What it brings is no token of ours: a typing error, or another scheme.
    case malformed
    case unknown
    case expired
    case revoked
    /// The certificate of the connection is good, but none of its names is registered.
    case certificate
    /// The token is good, but not for this.
    case scope
    /// Nobody knows yet: the list of tokens could not be read since the daemon started.
    case notReady = "not_ready"

    /// For the client. Says nothing of what it sent.
    package var message: String {
        switch self {
        case .missing: "a token is needed: send the header authorization: Bearer TOKEN"
        case .malformed: "this is not a token: it begins with stl_ and has 61 characters"
        case .unknown: "this token is not known"
        case .expired: "this token has expired"
        case .revoked: "this token has been revoked"
        case .certificate: "no name of this client certificate is registered"
        case .scope: "this token lacks the scope for that"
        case .notReady: "the list of tokens could not be read from the database yet"
        }
    }

    package var counter: Counter {
        switch self {
        case .missing: .authMissing
        case .malformed: .authMalformed
        case .unknown: .authUnknown
        case .expired: .authExpired
        case .revoked: .authRevoked
        case .certificate: .authCertificate
        case .scope: .authScope
        case .notReady: .authNotReady
        }
    }
}

/// Decides who may come in, from the head of a request alone.
package enum AuthVerdict: Sendable {
    /// Welcome; without an identity where none is asked for.
    case admitted(Identity?)
    case refused(AuthFailure)
}

/// Knows the tokens. Both fronts, gRPC and HTTP, ask it.
///
/// Thread: any. Waits for nothing: what it knows is in memory.
package protocol Authenticator: Sendable {
    /// The verdict on one request, counted. `peer` says where it comes from, and is called for what
    /// is logged only.
    func judge(
        _ credentials: Credentials, for access: Access, peer: () -> String
    ) -> AuthVerdict
}

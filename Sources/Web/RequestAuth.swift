// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Hummingbird

/// Who a request over HTTP is from, judged on its head.
enum RequestAuth {
    /// Why it is turned away; nil when it may come in.
    static func failure(
        of head: HTTPRequest, from peer: PeerContext, for access: Access,
        _ authenticator: any Authenticator
    ) -> AuthFailure? {
        switch verdict(on: head, from: peer, for: access, authenticator) {
        case .admitted: nil
        case .refused(let failure): failure
        }
    }

    /// The response to who may not ask about what is stored; nil for who may.
    ///
    /// What is stored is not separated by tenants for readers, so nobody whose token is of one
    /// tenant may read. Nobody changes anything without a token, even where none is required.
    static func refusalOfQuery(
        _ head: HTTPRequest, from peer: PeerContext, for access: Access,
        _ authenticator: (any Authenticator)?, as form: FailureForm
    ) -> Response? {
        var found = AuthVerdict.admitted(nil)
        if let authenticator {
            found = verdict(on: head, from: peer, for: access, authenticator)
        }
        switch found {
        case .refused(let failure): return response(failure, as: form)
        case .admitted(let identity) where identity?.tenant.isEmpty == false:
            return form.refusal(
                .forbidden,
                "this token is of one tenant, and answers are not limited to one; use a token "
                    + "without a tenant")
        case .admitted(nil) where access == .admin:
            return form.refusal(
                .forbidden,
                "this needs a token of scope admin, made with starling token create, even where "
                    + "auth.required is false")
        case .admitted: return nil
        }
    }

    private static func verdict(
        on head: HTTPRequest, from peer: PeerContext, for access: Access,
        _ authenticator: any Authenticator
    ) -> AuthVerdict {
        let fields = head.headerFields.map { ($0.name.canonicalName, $0.value) }
        let credentials = credentials(of: fields, peer.certificate)
        return authenticator.judge(credentials, for: access, peer: { peer.peer })
    }

    /// What the header fields bring to show it, beside the certificate of the connection. Names may
    /// be in any case.
    static func credentials(
        of fields: some Sequence<(String, String)>, _ certificate: PeerIdentity?
    ) -> Credentials {
        var credentials = Credentials()
        credentials.certificate = certificate
        for (name, value) in fields {
            let name = name.lowercased()
            guard name == "authorization" || name == "x-api-key" else { continue }
            let (nameBytes, valueBytes) = (Array(name.utf8), Array(value.utf8))
            unsafe nameBytes.withUnsafeBytes { name in
                unsafe valueBytes.withUnsafeBytes { value in
                    unsafe credentials.add(name: ByteSlice(name), value: ByteSlice(value))
                }
            }
        }
        return credentials
    }

    /// The status of each failure (RFC 9110, sections 15.5.2 and 15.5.4).
    static func status(of failure: AuthFailure) -> HTTPResponse.Status {
        switch failure {
        case .missing, .malformed, .unknown, .expired, .revoked, .certificate: .unauthorized
        case .scope: .forbidden
        case .notReady: .serviceUnavailable
        }
    }

    /// What else a client is told in header fields (RFC 6750, section 3; RFC 9110, 10.2.3).
    static func fields(of failure: AuthFailure) -> HTTPFields {
        switch failure {
        case .missing, .certificate: [.wwwAuthenticate: "Bearer"]
        case .malformed, .unknown, .expired, .revoked:
            [.wwwAuthenticate: "Bearer error=\"invalid_token\""]
        case .scope: [.wwwAuthenticate: "Bearer error=\"insufficient_scope\""]
        case .notReady: [.retryAfter: "2"]
        }
    }

    /// As every error of the API that is asked.
    static func response(
        _ failure: AuthFailure, as form: FailureForm = .problem
    ) -> Response {
        var response = form.refusal(status(of: failure), failure.message)
        response.headers.append(contentsOf: fields(of: failure))
        return response
    }
}

// SPDX-License-Identifier: Apache-2.0

/// What TLS does with certificates of clients (`tls.client_auth`).
package enum ClientAuthentication: String, Sendable, CaseIterable {
    /// They are not asked for.
    case none
    /// They are asked for; one that is sent has to be good.
    case optional
    /// Without a good one there is no connection.
    case required
}

/// The oldest version that is spoken (`tls.version_min`).
package enum TLSVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}

/// What is spoken inside TLS, by its name in ALPN (RFC 7301).
package enum ApplicationLayerProtocol: String, Sendable, CaseIterable {
    case http2 = "h2"
    case http1 = "http/1.1"
}

/// What a server's TLS is made from: paths of PEM files, and rules.
package struct TLSSettings: Sendable, Equatable {
    /// The certificate, and those between it and the authority.
    package var certificateFile = ""
    package var keyFile = ""
    /// Authorities whose certificates clients may show; empty where clients show none.
    package var clientCAFile = ""
    package var clientAuthentication = ClientAuthentication.none
    /// One of them has to be among the names of a client's certificate; none means any.
    package var clientNames: [NamePattern] = []
    /// Lists of revoked certificates; empty for none.
    package var crlFile = ""
    package var versionMin = TLSVersion.tls12

    package init() {}

    /// The files that are there, in the order in which they are read.
    package var files: [String] {
        [certificateFile, keyFile, clientCAFile, crlFile].filter { !$0.isEmpty }
    }
}

/// What is wrong with one of the files, in words that say what to do about it.
package struct TLSFault: Error, Equatable, CustomStringConvertible {
    /// The setting that is to blame, as it is called below `tls.` and among options.
    package enum Subject: String, Sendable {
        case certificate = "certificate_file"
        case key = "key_file"
        case clientCA = "client_ca_file"
        case crl = "crl_file"
    }

    package let subject: Subject
    package let path: String
    /// Half a sentence.
    package let problem: String
    /// Half a sentence in the imperative.
    package let remedy: String

    package init(_ subject: Subject, _ path: String, _ problem: String, remedy: String) {
        self.subject = subject
        self.path = path
        self.problem = problem
        self.remedy = remedy
    }

    package var description: String { "\(path): \(problem); \(remedy)" }
}

// SPDX-License-Identifier: Apache-2.0

/// Who the other side of a connection has proved to be, by its certificate.
///
/// The certificate has been checked when there is one of these: issued by an accepted authority,
/// valid now, not revoked, its name allowed. Thread: any, a value.
package struct PeerIdentity: Sendable, Equatable {
    /// The certificate's names without doubles: DNS names, URIs and e-mail addresses of its subject
    /// alternative names in the order in which they stand there, then the common name.
    package let names: [String]
    /// SHA-256 over the whole certificate (DER), 64 hexadecimal digits in lower case.
    package let fingerprint: String

    package init(names: [String], fingerprint: String) {
        self.names = names
        self.fingerprint = fingerprint
    }
}

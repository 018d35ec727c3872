// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Web

// Goal: when the certificate expires is seen by people and by monitors, and nothing is shown where
// there is none. Method: an observation with one.

@Suite struct CertificateStatusTests {
    private let certificate = DaemonObservation.Certificate(
        identity: PeerIdentity(names: ["a.example", "b.example"], fingerprint: "00ff"),
        notAfterUnixSeconds: 2_000_000_000)

    @Test(arguments: [
        (1_999_999_999, "1 s"), (2_000_000_000 - 86_400 * 30, "30 d"), (2_000_000_000, "EXPIRED"),
        (2_100_000_000, "EXPIRED"),
    ])
    func theScreenSaysHowLong(nowSeconds: UInt64, expected: String) {
        let text = StatusScreen.text(of: certificate, nowUnixNs: nowSeconds * 1_000_000_000)
        #expect(text.contains(expected) && text.contains("a.example, b.example"))
    }

    @Test func monitorsSeeTheTime() {
        var daemon = DaemonObservation()
        #expect(!MetricsPage.text(daemon).contains("tls_certificate_not_after"))
        #expect("\(StatusBody.json(daemon))".contains("\"certificate\":null"))
        daemon.certificate = certificate
        #expect(
            MetricsPage.text(daemon).contains(
                "\nstarling_tls_certificate_not_after_seconds 2000000000\n"))
        #expect("\(StatusBody.json(daemon))".contains("\"not_after_unix_seconds\":2000000000"))
    }
}

// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TLS

// Goal: files that cannot serve are refused with words that help, and what is only odd is noted.
// Method: one wrong file at a time.

private func settings(_ pair: SelfSigned) -> TLSSettings {
    var settings = TLSSettings()
    settings.certificateFile = pair.certificate
    settings.keyFile = pair.key
    return settings
}

private func fault(_ settings: TLSSettings) -> TLSFault? {
    do throws(TLSFault) {
        _ = try TLSContext(settings)
        return nil
    } catch {
        return error
    }
}

@Suite struct TLSContextTests {
    private let pair: SelfSigned

    init() throws { pair = try SelfSigned("localhost", names: ["DNS:localhost"]) }

    private var nowNs: UInt64 { UInt64(Date().timeIntervalSince1970 * 1e9) }

    @Test func aGoodPairHasNothingToSay() throws {
        let context = try TLSContext(settings(pair))
        #expect(context.notes(nowUnixNs: nowNs).isEmpty)
        let days = (context.certificate.notAfterUnixSeconds - Int64(nowNs / 1_000_000_000)) / 86_400
        #expect((29...30).contains(days))
    }

    @Test func timeBringsNotes() throws {
        let context = try TLSContext(settings(pair))
        let endNs = UInt64(context.certificate.notAfterUnixSeconds) * 1_000_000_000
        let dayNs: UInt64 = 86_400_000_000_000
        #expect(context.notes(nowUnixNs: endNs - 15 * dayNs).isEmpty)
        #expect(context.notes(nowUnixNs: endNs - 13 * dayNs)[0].contains("13 days"))
        #expect(context.notes(nowUnixNs: endNs)[0].contains("expired"))
        #expect(context.notes(nowUnixNs: 0)[0].contains("not valid yet"))
    }

    @Test func aKeyThatAllMayReadIsNoted() throws {
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: pair.key)
        #expect(try TLSContext(settings(pair)).notes(nowUnixNs: nowNs)[0].contains(pair.key))
    }

    @Test func filesThatAreNotThere() {
        var wrong = settings(pair)
        wrong.certificateFile = "/nowhere/certificate.pem"
        #expect(fault(wrong)?.subject == .certificate)
        #expect(fault(wrong)?.problem.contains("No such file") == true)
        wrong = settings(pair)
        wrong.keyFile = "/nowhere/key.pem"
        #expect(fault(wrong)?.subject == .key)
        wrong = settings(pair)
        wrong.certificateFile = "/tmp"
        #expect(fault(wrong)?.subject == .certificate)
    }

    @Test func filesThatHoldSomethingElse() throws {
        var wrong = settings(pair)
        wrong.certificateFile = pair.key
        #expect(fault(wrong)?.problem == "there is no certificate in it")
        wrong = settings(pair)
        wrong.keyFile = pair.certificate
        #expect(fault(wrong)?.problem == "there is no private key in it")
        wrong = settings(pair)
        wrong.certificateFile = try pair.file("empty.pem", "")
        #expect(fault(wrong)?.subject == .certificate)
        wrong = settings(pair)
        wrong.clientAuthentication = .required
        wrong.clientCAFile = pair.key
        #expect(fault(wrong)?.subject == .clientCA)
        wrong.clientCAFile = pair.certificate
        wrong.crlFile = pair.certificate
        #expect(fault(wrong)?.subject == .crl)
    }

    // What stands behind the damage would be missing: an authority, or a newer list.
    @Test(arguments: [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB*\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n",
    ])
    func aFileWithADamagedPartIsRefused(part: String) throws {
        let whole = try String(contentsOfFile: pair.certificate, encoding: .utf8)
        let damaged = try pair.file("damaged.pem", whole + part + whole)
        var wrong = settings(pair)
        wrong.certificateFile = damaged
        #expect(fault(wrong)?.subject == .certificate)
        wrong = settings(pair)
        wrong.clientAuthentication = .required
        wrong.clientCAFile = damaged
        #expect(fault(wrong)?.subject == .clientCA)
        #expect(fault(wrong)?.path == damaged)
        wrong.clientCAFile = pair.certificate
        wrong.crlFile = try pair.file(
            "lists.pem", part.replacingOccurrences(of: "CERTIFICATE", with: "X509 CRL"))
        #expect(fault(wrong)?.subject == .crl)
    }

    @Test func wordsBetweenCertificatesAreNoDamage() throws {
        let whole = try String(contentsOfFile: pair.certificate, encoding: .utf8)
        let key = try String(contentsOfFile: pair.key, encoding: .utf8)
        var odd = settings(pair)
        odd.certificateFile = try pair.file(
            "words.pem", "the server's:\n" + whole + key + "its authority's:\n" + whole + "end")
        #expect(fault(odd) == nil)
    }

    @Test func aKeyOfAnotherCertificate() throws {
        var wrong = settings(pair)
        wrong.keyFile = try SelfSigned("other").key
        #expect(fault(wrong)?.subject == .key)
    }

    @Test func theKeyOfAnotherCertificateIsNamed() throws {
        let other = try SelfSigned("other")
        var wrong = settings(pair)
        wrong.keyFile = other.key
        #expect(fault(wrong)?.problem.contains(pair.certificate) == true)
        #expect(fault(wrong)?.path == other.key)
    }

    @Test func aKeyWithAPassphraseIsRefused() throws {
        let locked = pair.folder.appendingPathComponent("locked.pem").path
        try pair.openssl(
            ["pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", locked])
        var wrong = settings(pair)
        wrong.keyFile = locked
        #expect(fault(wrong)?.problem.contains("passphrase") == true)
    }

    @Test func aWeakKeyIsRefused() throws {
        let weak = try SelfSigned("weak", options: [])
        try weak.openssl([
            "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak",
            "-keyout", weak.key, "-out", weak.certificate,
        ])
        #expect(fault(settings(weak))?.subject == .certificate)
    }

    @Test func aChangedFileHasAnotherStamp() throws {
        let path = try pair.file("some.pem", "one")
        let before = FileStamp(path)
        #expect(FileStamp(path) == before)
        _ = try pair.file("some.pem", "two")
        #expect(FileStamp(path) != before)
        #expect(FileStamp("/nowhere") != before)
        #expect(FileStamp("/nowhere") == FileStamp("/nowhere2"))
    }
}

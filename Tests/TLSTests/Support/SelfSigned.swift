// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// A certificate that is its own authority, and its key, in a folder that goes with it.
final class SelfSigned: Sendable {
    let folder: URL

    var certificate: String { folder.appendingPathComponent("certificate.pem").path }
    var key: String { folder.appendingPathComponent("key.pem").path }

    /// `names` as openssl(1) writes them, for example `DNS:localhost`.
    init(_ commonName: String, names: [String] = [], options: [String] = []) throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("starling-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let extensions =
            names.isEmpty
            ? [] : ["-addext", "subjectAltName=\(names.joined(separator: ","))"]
        try openssl(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-subj", "/CN=\(commonName)", "-days", "30"] + extensions + options
                + ["-keyout", key, "-out", certificate])
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A file beside the certificate.
    func file(_ name: String, _ text: String) throws -> String {
        let url = folder.appendingPathComponent(name)
        try text.write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }

    func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}

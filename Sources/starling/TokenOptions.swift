// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

/// The token of a verb that is a client of a daemon.
///
/// There is no option that takes the token itself: everybody on the machine could read it there.
struct TokenOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file that holds the token to send.",
            discussion: "Default: the environment variable STARLING_TOKEN, or none.",
            valueName: "file"),
        completion: .file())
    var tokenFile: String?

    private static let fileSizeBytesMax = 4_096

    /// Nil where none is given.
    func token() throws -> String? {
        guard let tokenFile else {
            let written = ProcessEnvironment.all()[ConfigurationSources.tokenVariable]
            return try written.map { try checked($0, "STARLING_TOKEN") }
        }
        let text: String
        do {
            text = try TextFile.read(
                tokenFile, sizeBytesMax: TokenOptions.fileSizeBytesMax)
        } catch {
            throw ValidationError("--token-file \(tokenFile) cannot be read: \(error)")
        }
        return try checked(text, "--token-file \(tokenFile)")
    }

    /// Without the line break that ends a file; anything else that is no token is a mistake that is
    /// better found here than by the daemon.
    private func checked(_ written: String, _ place: String) throws -> String {
        let token = String(written.reversed().drop { $0.isWhitespace }.reversed())
        guard TokenText.isWellFormed(Array(token.utf8)) else {
            throw ValidationError(
                "\(place) holds no token: it begins with stl_ and has 61 characters, the last 6 of "
                    + "which check the others")
        }
        return token
    }
}

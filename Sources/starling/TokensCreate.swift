// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Tokens {
    /// `starling token create`.
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it, this once.",
            discussion: """
                The token is the only line on standard output; the database has its hash alone, \
                so nobody can show it again.

                --tenant puts that name on every resource that the holder sends, as \
                retention.tenant_attribute, whatever it says itself. --rate-items and \
                --rate-bytes are what each daemon takes from the holder; beyond it, it is told to \
                come back.

                --certificate-name makes no token, but registers a name out of client \
                certificates: a DNS name, URI or e-mail address of the subject alternative names, \
                or the common name. See auth.client_certificates.

                Examples:
                  starling token create --name shop --tenant acme > shop.token
                  starling token create --name grafana --scope read --expires 90d
                  starling token create --name edge --certificate-name edge.example
                  starling token create --name batch --rate-items 10000 --rate-bytes 5MiB
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: ArgumentHelp("What it is for; unique.", valueName: "name"))
        var name: String

        @Option(
            help: ArgumentHelp(
                "ingest, read or admin; may be repeated. Default: ingest.", valueName: "scope"))
        var scope: [String] = []

        @Option(help: ArgumentHelp("Whose telemetry it sends.", valueName: "name"))
        var tenant: String?

        @Option(
            help: ArgumentHelp(
                "After how long it is no use any more, for example 90d. Default: never.",
                valueName: "duration"))
        var expires: String?

        @Option(
            help: ArgumentHelp(
                "Spans, log records and data points per second.", valueName: "n"))
        var rateItems: Int?

        @Option(
            help: ArgumentHelp(
                "Bytes of requests, decompressed, per second, for example 5MiB.",
                valueName: "size"))
        var rateBytes: String?

        @Option(
            help: ArgumentHelp(
                "Make no token, but take a client certificate with this name for one.",
                valueName: "name"))
        var certificateName: String?

        @Flag(help: "Print one JSON object, the token in it.")
        var json = false

        func validate() throws { _ = try request() }

        func run() throws {
            let request = try request()
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let (token, secret) = try DatabaseTokens(loaded.configuration).create(request)
            guard !json else {
                return print(JSONText.object(token.fields + [("token", .text(secret))]))
            }
            if let secret { print(secret) }
            StandardError.write(
                "\(token.name): \(token.scopes.joined(separator: ", ")), "
                    + (token.expires.map { "until \($0)" } ?? "for ever")
                    + (token.tenant.isEmpty ? "" : ", for tenant \(token.tenant)")
                    + (secret == nil
                        ? "; needs auth.client_certificates, and tls.client_auth\n"
                        : "; keep the token, it is not shown again\n"))
        }

        private func request() throws -> DatabaseTokens.Request {
            guard (1...200).contains(name.utf8.count), !name.hasPrefix(TokenText.prefix) else {
                throw ValidationError(
                    "--name takes 1 to 200 bytes, and does not begin with \(TokenText.prefix)")
            }
            var request = DatabaseTokens.Request(name: name, scopes: try scopes())
            if let tenant {
                guard (1...200).contains(tenant.utf8.count) else {
                    throw ValidationError("--tenant takes a name of 1 to 200 bytes")
                }
                request.tenant = tenant
            }
            request.expiresUnixNs = try expiry()
            if let rateItems {
                guard (1...RateLimit.perSecondMax).contains(rateItems) else {
                    throw ValidationError(
                        "--rate-items is \(rateItems); choose 1 to \(RateLimit.perSecondMax)")
                }
                request.itemsPerSecond = rateItems
            }
            request.bytesPerSecond = try bytesPerSecond()
            if let certificateName {
                guard (1...255).contains(certificateName.utf8.count) else {
                    throw ValidationError("--certificate-name takes a name of 1 to 255 bytes")
                }
                request.certificateName = certificateName
            }
            return request
        }

        private func scopes() throws -> TokenScopes {
            guard !scope.isEmpty else { return .ingest }
            var scopes: TokenScopes = []
            for name in scope {
                guard let one = TokenScopes(name: name) else {
                    let names = TokenScopes.allNames.joined(separator: ", ")
                    throw ValidationError("--scope is \(name); choose one of \(names)")
                }
                scopes.insert(one)
            }
            return scopes
        }

        private func expiry() throws -> Int64? {
            guard let expires else { return nil }
            let nowNs = Int64(Clock.unixNs)
            do {
                let durationNs = try Quantity.durationNs(expires)
                guard durationNs > 0, durationNs <= Create.expiryNsMax else {
                    throw ValidationError("--expires is \(expires); choose up to 36500d")
                }
                return nowNs + durationNs
            } catch let fault as ValueFault {
                throw ValidationError("--expires is \(expires): \(fault.problem); \(fault.remedy)")
            }
        }

        private static let expiryNsMax: Int64 = 36_500 * 86_400 * 1_000_000_000

        private func bytesPerSecond() throws -> Int? {
            guard let rateBytes else { return nil }
            do {
                let bytes = try Quantity.bytes(rateBytes)
                guard (1...RateLimit.perSecondMax).contains(bytes) else {
                    throw ValidationError("--rate-bytes is \(rateBytes); write at least 1")
                }
                return bytes
            } catch let fault as ValueFault {
                throw ValidationError(
                    "--rate-bytes is \(rateBytes): \(fault.problem); \(fault.remedy)")
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

/// `starling token`: who may come in.
struct Tokens: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, list and revoke tokens for clients.",
        discussion: """
            A client sends its token in the header `authorization: Bearer TOKEN`, or \
            `x-api-key: TOKEN`. Whether one is needed says auth.required. Daemons take changes \
            over within seconds, without a reload.
            """,
        subcommands: [Create.self, List.self, Revoke.self])
}

extension DatabaseTokens.Token {
    /// Its fields, but for the secret.
    var fields: [(String, JSONText)] {
        [
            ("id", .number(id)), ("name", .text(name)), ("prefix", .text(prefix)),
            ("certificate_name", .text(certificateName)),
            ("scopes", .list(scopes.map { .text($0) })),
            ("tenant", tenant.isEmpty ? .null : .text(tenant)),
            ("items_per_second", .number(itemsPerSecond)),
            ("bytes_per_second", .number(bytesPerSecond)), ("state", .text(state)),
            ("created", .text(created)), ("expires", .text(expires)), ("revoked", .text(revoked)),
            ("last_used", .text(lastUsed)),
        ]
    }
}

extension Tokens {
    /// `starling token list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show all tokens, without their secrets.",
            discussion: """
                Those that count come first; revoked ones are shown for 30 days. LAST USED is \
                written about once a minute.

                Examples:
                  starling token list
                  starling token list --json
                """)

        @OptionGroup var options: ConfigurationOptions

        @Flag(help: "Print a JSON array of objects.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let tokens = try DatabaseTokens(loaded.configuration).list()
            guard !json else {
                return print(JSONText.list(tokens.map { .object($0.fields) }))
            }
            var table = TextTable(
                "NAME", "PREFIX", "SCOPES", "TENANT", "STATE", "EXPIRES", "LAST USED")
            for token in tokens {
                table.append(
                    token.name, token.prefix ?? "certificate \(token.certificateName ?? "")",
                    token.scopes.joined(separator: ","), token.tenant.isEmpty ? "-" : token.tenant,
                    token.state, token.expires ?? "never", token.lastUsed ?? "-")
            }
            guard !table.isEmpty else {
                return StandardError.write(
                    "there are no tokens; make one with `starling token create`\n")
            }
            print(table.text)
        }
    }

    /// `starling token revoke`.
    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a token away, for good.",
            discussion: """
                Every daemon on the database turns its holder away within auth.token_refresh, \
                from the next request on.

                Examples:
                  starling token revoke shop
                  starling token revoke stl_4fGh7Kq2 --json
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: ArgumentHelp("Its name, or its prefix.", valueName: "name"))
        var name: String

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let token = try DatabaseTokens(loaded.configuration).revoke(name)
            guard !json else { return print(JSONText.object(token.fields)) }
            print("\(token.name) is revoked.")
        }
    }
}

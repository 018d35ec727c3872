// SPDX-License-Identifier: Apache-2.0
import Socket
import TLS
import Testing

@testable import Collector

// Goal: nobody from another machine comes in unasked unless the operator has said so. Method: a
// table of listeners with the keys that are to be blamed.

@Suite struct ExposureTests {
    private func keys(_ overrides: [String], isForDaemon: Bool = true) -> [String?] {
        var sources = ConfigurationSources(overrides: overrides)
        sources.isForDaemon = isForDaemon
        do {
            _ = try sources.load()
            return []
        } catch {
            return error.problems.map(\.key)
        }
    }

    // Numbers only: names are a matter of the machine.
    @Test(
        arguments: [
            ([], []),
            (["listen.grpc=0.0.0.0:4317"], ["listen.grpc"]),
            (["listen.grpc=[::]:4317"], ["listen.grpc"]),
            (["listen.grpc=192.0.2.7:4317"], ["listen.grpc"]),
            (["listen.grpc=[2001:db8::7]:4317"], ["listen.grpc"]),
            (["listen.grpc=126.255.255.255:4317"], ["listen.grpc"]),
            (["listen.grpc=127.0.0.1:4317"], []), (["listen.grpc=127.9.8.7:4317"], []),
            (["listen.grpc=128.0.0.0:4317"], ["listen.grpc"]),
            (["listen.grpc=[::1]:4317"], []), (["listen.grpc=[::2]:4317"], ["listen.grpc"]),
            (["listen.grpc=[::ffff:127.0.0.1]:4317"], []),
            (["listen.grpc=[::ffff:192.0.2.7]:4317"], ["listen.grpc"]),
            (["listen.grpc=unix:/run/otlp.sock"], []), (["listen.grpc="], []),
            (["listen.api=0.0.0.0:8080"], ["listen.api"]),
            (["listen.jaeger=0.0.0.0:16686"], ["listen.jaeger"]),
            (
                ["listen.http=0.0.0.0:4318", "listen.api=0.0.0.0:8080"],
                ["listen.http", "listen.api"]
            ),
            (["listen.grpc=0.0.0.0:4317", "auth.required=true"], []),
            (["listen.grpc=0.0.0.0:4317", "auth.allow_anonymous=true"], []),
            (["listen.grpc=0.0.0.0:4317", "auth.required=yes"], ["auth.required"]),
            (["auth.client_certificates=true"], ["auth.client_certificates"]),
            (["listen.grpc=no-such-host.invalid:4317"], ["listen.grpc"]),
        ] as [([String], [String])])
    func othersComeInOnlyWhereThatIsSaid(overrides: [String], expected: [String]) {
        #expect(keys(overrides) == expected)
    }

    // What systemd opened is what counts, not the listener that it takes the place of.
    @Test(
        arguments: [
            (.tcp(host: "0.0.0.0", port: 4317), [], ["listen.grpc"]),
            (.tcp(host: "0.0.0.0", port: 4317), ["listen.grpc="], ["listen.grpc"]),
            (.tcp(host: "::", port: 4317), ["auth.required=true"], []),
            (.tcp(host: "127.0.0.1", port: 4317), ["listen.grpc=0.0.0.0:4317"], []),
            (.unix(path: "/run/otlp.sock"), ["listen.grpc=0.0.0.0:4317"], []),
        ] as [(Endpoint, [String], [String])])
    func socketsOfSystemdAreLookedAt(
        endpoint: Endpoint, overrides: [String], expected: [String]
    ) {
        var sources = ConfigurationSources(overrides: overrides)
        sources.isForDaemon = true
        sources.activated = [.grpc: endpoint]
        let error: ConfigurationError?
        do {
            _ = try sources.load()
            error = nil
        } catch let thrown {
            error = thrown
        }
        #expect((error?.problems.map(\.key) ?? []) == expected)
        #expect(error?.description.contains("the socket that systemd opened") ?? true)
    }

    // Goal: who lets tokens travel in the clear hears it. Method: the listeners that are named.
    @Test(
        arguments: [
            ([], []), (["listen.grpc=unix:/run/otlp.sock"], []),
            (["listen.grpc=192.0.2.7:4317"], ["listen.grpc"]),
            (["listen.http=0.0.0.0:4318", "listen.api=[::]:8080"], ["listen.http", "listen.api"]),
        ] as [([String], [String])])
    func tokensInTheClearAreNoted(overrides: [String], expected: [String]) throws {
        var sources = ConfigurationSources(overrides: overrides + ["auth.required=true"])
        sources.isForDaemon = true
        let notes = try sources.load().configuration.notes
        #expect(notes.map { $0.prefix { $0 != ":" } } == expected.map { $0[...] })
        #expect(notes.allSatisfy { $0.contains("tls.certificate_file") })
    }

    @Test func tokensOfASocketOfSystemdAreNotedToo() throws {
        var sources = ConfigurationSources(overrides: ["auth.required=true"])
        sources.isForDaemon = true
        sources.activated = [.grpc: .tcp(host: "0.0.0.0", port: 4317)]
        let notes = try sources.load().configuration.notes
        #expect(notes.count == 1 && notes[0].contains("the socket that systemd opened"))
    }

    @Test func nobodysTokensAreNoMatter() throws {
        var sources = ConfigurationSources(
            overrides: ["listen.grpc=0.0.0.0:4317", "auth.allow_anonymous=true"])
        sources.isForDaemon = true
        #expect(try sources.load().configuration.notes.isEmpty)
    }

    // Goal: a reload does not open what the start kept closed, although the new file alone would be
    // right. Method: certificates go at once, what is to replace them needs a restart.
    @Test(
        arguments: [
            ("listen.grpc=0.0.0.0:4317", ["auth.required=true"], false),
            ("listen.grpc=0.0.0.0:4317", ["auth.allow_anonymous=true"], false),
            ("listen.grpc=0.0.0.0:4317", ["listen.grpc=127.0.0.1:4317"], false),
            ("listen.grpc=127.0.0.1:4317", [], true),
        ] as [(String, [String], Bool)])
    func aReloadOpensNothing(listen: String, change: [String], isTaken: Bool) throws {
        let pair = ["tls.certificate_file=/c", "tls.key_file=/k"]
        let mutual = ["tls.client_auth=required", "tls.client_ca_file=/a"]
        let running = try ConfigurationSources(overrides: [listen] + pair + mutual).load()
        let wanted = try ConfigurationSources(overrides: [listen] + pair + change).load()
        let adopted = Result { () throws(ConfigurationError) in
            try running.configuration.adopting(wanted.configuration).configuration
        }
        switch adopted {
        case .success(let configuration):
            #expect(isTaken && configuration.tls.settings.clientAuthentication == .none)
        case .failure(let error):
            #expect(!isTaken && error.problems.map(\.key) == ["tls.client_auth"])
            #expect(error.description.contains("0.0.0.0:4317 (listen.grpc)"))
        }
    }

    @Test func aReloadOpensNoSocketOfSystemd() throws {
        let pair = ["tls.certificate_file=/c", "tls.key_file=/k"]
        let mutual = ["tls.client_auth=required", "tls.client_ca_file=/a"]
        let running = try ConfigurationSources(overrides: pair + mutual).load().configuration
        let wanted = try ConfigurationSources(overrides: pair).load().configuration
        #expect(throws: ConfigurationError.self) {
            try running.adopting(
                wanted, activated: [.http: .tcp(host: "192.0.2.7", port: 4318)])
        }
    }

    /// `starling token create` must work before there is a token.
    @Test func onlyADaemonListens() {
        #expect(keys(["listen.grpc=0.0.0.0:4317"], isForDaemon: false).isEmpty)
    }

    @Test func theMessageNamesBothRemedies() throws {
        var sources = ConfigurationSources(overrides: ["listen.grpc=0.0.0.0:4317"])
        sources.isForDaemon = true
        let error = #expect(throws: ConfigurationError.self) { try sources.load() }
        #expect(
            error?.description
                == "--set: listen.grpc = \"0.0.0.0:4317\": other machines can connect to "
                + "0.0.0.0:4317, and nobody is asked for a token. Set auth.required to true and "
                + "make tokens with `starling token create`, or auth.allow_anonymous to true if "
                + "whoever can connect may come in.")
    }

    @Test func theTokenOfTheCommandIsNoKey() throws {
        _ = try ConfigurationSources(environment: ["STARLING_TOKEN": "stl_x"]).load()
    }
}

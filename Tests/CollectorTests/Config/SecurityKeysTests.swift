// SPDX-License-Identifier: Apache-2.0
import TLS
import Testing

@testable import Collector

// Goal: of the keys below tls., what would have no effect or cannot work is refused, and a reload
// neither turns TLS on nor off. Method: a table of settings with the key that is to be blamed.

private func load(_ settings: [String]) throws(ConfigurationError) -> Configuration {
    try ConfigurationSources(overrides: settings.map { "tls." + $0 }).load().configuration
}

private let pair = ["certificate_file=/c", "key_file=/k"]

@Suite struct SecurityKeysTests {
    @Test(arguments: [
        (["certificate_file=/c"], "tls.certificate_file"),
        (["key_file=/k"], "tls.key_file"),
        (["client_ca_file=/a"], "tls.client_ca_file"),
        (["crl_file=/r"], "tls.crl_file"),
        (["client_auth=required"], "tls.client_auth"),
        (pair + ["client_auth=required"], "tls.client_auth"),
        (pair + ["client_auth=maybe"], "tls.client_auth"),
        (pair + ["client_ca_file=/a"], "tls.client_ca_file"),
        (pair + ["client_names=a"], "tls.client_names"),
        (pair + ["crl_file=/r"], "tls.crl_file"),
        (["client_names=a*"], "tls.client_names"),
        (["client_names=a,,b"], "tls.client_names"),
        (["listeners=grpc, https"], "tls.listeners"),
        (["version_min=1.1"], "tls.version_min"),
        (["handshake_timeout=99ms"], "tls.handshake_timeout"),
        (["reload_interval=25h"], "tls.reload_interval"),
        (["reload_interval=499ms"], "tls.reload_interval"),
    ])
    func whatIsRefused(settings: [String], key: String) {
        #expect {
            _ = try load(settings)
        } throws: { error in
            (error as? ConfigurationError)?.problems.map(\.key) == [key]
        }
    }

    @Test func whatIsTaken() throws {
        #expect(try !load([]).tls.isOn)
        #expect(try load(pair).tls.isOn)
        let mutual = try load(
            pair + [
                "client_auth=required", "client_ca_file=/a", "client_names= a , *.b", "crl_file=/r",
            ])
        #expect(mutual.tls.settings.clientNames.map(\.description) == ["a", "*.b"])
        #expect(mutual.tls.settings.files == ["/c", "/k", "/a", "/r"])
        #expect(try load(["listeners=api,grpc"]).tls.listeners == [.grpc, .api])
        #expect(try load(["listeners="]).tls.listeners.isEmpty)
    }

    @Test(arguments: [
        ([], ["listen.grpc", "listen.api"]),
        (pair, ["listen.grpc", "listen.api"]),
        (pair + ["client_auth=optional", "client_ca_file=/a"], ["listen.grpc", "listen.api"]),
        (pair + ["client_auth=required", "client_ca_file=/a"], []),
        (pair + ["client_auth=required", "client_ca_file=/a", "listeners=grpc"], ["listen.api"]),
    ])
    func certificatesOfClientsCloseListeners(settings: [String], open: [String]) {
        var sources = ConfigurationSources(
            overrides: settings.map { "tls." + $0 }
                + ["listen.grpc=0.0.0.0:4317", "listen.api=0.0.0.0:8080"])
        sources.isForDaemon = true
        #expect {
            _ = try sources.load()
        } throws: { error in
            let keys = (error as? ConfigurationError)?.problems.compactMap(\.key) ?? []
            return keys.filter { $0.hasPrefix("listen.") } == open
        }
    }

    @Test func filesAreLoadedOnlyForServing() throws {
        var sources = ConfigurationSources(overrides: pair.map { "tls." + $0 })
        sources.isForDaemon = true
        #expect {
            _ = try sources.load()
        } throws: { error in
            let problem = (error as? ConfigurationError)?.problems.first
            return problem?.key == "tls.certificate_file" && problem?.value == "/c"
        }
    }

    @Test func aReloadChangesFilesAndNotWhetherThereIsTLS() throws {
        let off = try load([])
        let on = try load(pair)
        #expect(try !off.adopting(on).configuration.tls.isOn)
        #expect(try on.adopting(off).configuration.tls.isOn)
        #expect(try on.adopting(off).changes.allSatisfy { !$0.isAdopted })
        let other = try load(["certificate_file=/d", "key_file=/k", "listeners=grpc"])
        let adopted = try on.adopting(other)
        #expect(adopted.configuration.tls.settings.certificateFile == "/d")
        #expect(adopted.configuration.tls.listeners == ListenerName.allCases)
        #expect(adopted.changes.map(\.isAdopted) == [true, false])
    }
}

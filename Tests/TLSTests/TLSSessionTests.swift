// SPDX-License-Identifier: Apache-2.0
import Base
import COpenSSL
import Testing

@testable import TLS

// Goal: two sessions understand each other however their bytes are cut, refuse what is to be
// refused with a reason, and hold no more than they may. Method: client and server in memory, with
// certificates made for the test.

private let pair = Result { try SelfSigned("localhost", names: ["DNS:localhost", "IP:127.0.0.1"]) }
private let stranger = Result { try SelfSigned("stranger", names: ["DNS:localhost"]) }
private let agent = Result {
    try SelfSigned(
        "agent", names: ["DNS:a.agents.example", "URI:spiffe://shop/agent", "DNS:agent"],
        options: ["-addext", "extendedKeyUsage=clientAuth"])
}

private func settings(_ change: (inout TLSSettings) throws -> Void = { _ in }) throws -> TLSSettings
{
    var settings = TLSSettings()
    settings.certificateFile = try pair.get().certificate
    settings.keyFile = try pair.get().key
    try change(&settings)
    return settings
}

private func client(
    showing shown: SelfSigned? = nil, trusting trusted: SelfSigned? = nil,
    name: String = "localhost", protocols: [ApplicationLayerProtocol] = [.http2],
    versionMin: TLSVersion = .tls12
) throws -> TLSClientContext {
    try TLSClientContext(
        authorityFile: (trusted ?? pair.get()).certificate,
        certificateFile: shown?.certificate ?? "", keyFile: shown?.key ?? "",
        serverName: name, protocols: protocols, versionMin: versionMin)
}

private func mutual(
    _ names: [String] = [], _ mode: ClientAuthentication = .required
) throws
    -> TLSContext
{
    try TLSContext(
        try settings {
            $0.clientAuthentication = mode
            $0.clientCAFile = try agent.get().certificate
            $0.clientNames = names.compactMap(NamePattern.init)
        })
}

@Suite struct TLSSessionTests {
    @Test(arguments: [1, 2, 3, 5, 7, 16, 100, 1_000, 20_000])
    func talksHoweverBytesAreCut(pieceSize: Int) throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.run(pieceSize: pieceSize)
        #expect(talk.server.state == .open && talk.client.state == .open)
        #expect(talk.server.applicationProtocol == .http2)
        let question = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let answer = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 11) }
        #expect(try Conversation.say(question, on: talk.client) == question.count)
        #expect(try Conversation.say(answer, on: talk.server) == answer.count)
        talk.run(pieceSize: pieceSize)
        #expect(talk.heardByServer == question && talk.heardByClient == answer)
        talk.client.sayGoodbye()
        talk.run(pieceSize: pieceSize)
        #expect(talk.server.state == .ended)
    }

    /// Each boundary of each flight, one at a time.
    @Test func talksWithOneCutAnywhere() throws {
        let context = try TLSContext(settings())
        let flight = Conversation.take(
            from: try TLSSession(client: client()))[0].count
        for cut in 1..<flight {
            let talk = try Conversation(context, client())
            let hello = Conversation.take(from: talk.client)[0]
            talk.giveServer(Array(hello[..<min(cut, hello.count)]))
            talk.giveServer(Array(hello[min(cut, hello.count)...]))
            talk.run()
            #expect(talk.server.state == .open, "cut at \(cut)")
        }
    }

    @Test func speaksTheVersionsThatAreAllowed() throws {
        let strict = try TLSContext(settings { $0.versionMin = .tls13 })
        let talk = try Conversation(strict, client())
        talk.run()
        #expect(talk.server.state == .open)
    }

    @Test func refusesWhatIsNoTLS() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.giveServer(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(talk.serverFailure?.reason == .notTLS)
        #expect(talk.server.state == .failed)
    }

    @Test func aServerThatIsNotTrustedIsRefused() throws {
        let talk = try Conversation(TLSContext(settings()), client(trusting: stranger.get()))
        talk.run()
        #expect(talk.clientFailure?.reason == .certificate)
        #expect(talk.serverFailure?.reason == .peer)
    }

    @Test(arguments: [("localhost", true), ("127.0.0.1", true), ("example", false), ("::1", false)])
    func theServersNameIsChecked(name: String, isGood: Bool) throws {
        let talk = try Conversation(TLSContext(settings()), client(name: name))
        talk.run()
        #expect((talk.client.state == .open) == isGood)
        #expect((talk.clientFailure?.reason == .certificate) == !isGood)
    }

    @Test(arguments: [
        (
            [ApplicationLayerProtocol.http2], [ApplicationLayerProtocol.http2], true,
            ApplicationLayerProtocol.http2
        ),
        ([.http2, .http1], [.http1, .http2], true, .http2),
        ([.http2, .http1], [.http1], true, .http1),
        ([.http2], [.http1], true, nil),
        ([.http2, .http1], [], false, nil),
    ])
    func choosesAProtocol(
        spoken: [ApplicationLayerProtocol], offered: [ApplicationLayerProtocol], isRequired: Bool,
        expected: ApplicationLayerProtocol?
    ) throws {
        let talk = try Conversation(
            TLSContext(settings()), client(protocols: offered), protocols: spoken,
            isProtocolRequired: isRequired)
        talk.run()
        #expect(talk.server.applicationProtocol == expected)
        #expect(talk.client.applicationProtocol == expected)
        let isRefused = expected == nil && isRequired
        #expect((talk.serverFailure?.reason == .applicationProtocol) == isRefused)
    }

    @Test func withoutALPNThereIsNothing() throws {
        let talk = try Conversation(TLSContext(settings()), client(protocols: []))
        talk.run()
        #expect(talk.serverFailure?.reason == .applicationProtocol)
        #expect(talk.clientFailure?.reason == .peer)
    }
}

@Suite struct MutualTLSTests {
    @Test func theClientsNamesAreKnown() throws {
        let talk = try Conversation(mutual(), client(showing: agent.get()))
        talk.run()
        let identity = try #require(talk.server.peerIdentity)
        #expect(identity.names == ["a.agents.example", "spiffe://shop/agent", "agent"])
        #expect(identity.fingerprint.count == 64)
        let facts = try TLSContext(
            settings {
                $0.certificateFile = try agent.get().certificate
                $0.keyFile = try agent.get().key
            }
        ).certificate
        #expect(facts.identity == identity)
    }

    @Test(arguments: [
        (["*.agents.example"], true), (["agent"], true), (["spiffe://shop/agent"], true),
        (["other", "AGENT"], true), (["*.example"], false), (["other"], false),
    ])
    func oneOfItsNamesHasToBeAllowed(names: [String], isGood: Bool) throws {
        let talk = try Conversation(mutual(names), client(showing: agent.get()))
        talk.run()
        #expect((talk.server.state == .open) == isGood)
        #expect((talk.serverFailure?.reason == .certificate) == !isGood)
        if !isGood { #expect("\(talk.serverFailure!)".contains("spiffe://shop/agent")) }
    }

    @Test(arguments: [ClientAuthentication.optional, .required])
    func aStrangersCertificateIsRefused(mode: ClientAuthentication) throws {
        let talk = try Conversation(mutual([], mode), client(showing: stranger.get()))
        talk.run()
        #expect(talk.serverFailure?.reason == .certificate)
        #expect(talk.server.peerIdentity == nil)
    }

    @Test(arguments: [(ClientAuthentication.optional, true), (.required, false)])
    func withoutACertificate(mode: ClientAuthentication, isGood: Bool) throws {
        let talk = try Conversation(mutual([], mode), client())
        talk.run()
        #expect((talk.server.state == .open) == isGood)
        #expect(talk.server.peerIdentity == nil)
        #expect((talk.serverFailure?.reason == .certificateMissing) == !isGood)
    }
}

@Suite struct BoundTests {
    /// A peer that does not read: no more is encrypted than may wait.
    @Test func outputIsBounded() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.run()
        let count = try Conversation.say([UInt8](repeating: 1, count: 10 << 20), on: talk.server)
        #expect(count < TLSSession.outputSizeBytesMax)
        #expect(talk.server.outputCount <= TLSSession.outputSizeBytesMax)
        talk.run()
        #expect(talk.heardByClient.count == count && talk.server.outputCount == 0)
        #expect(try Conversation.say([1], on: talk.server) == 1)
    }

    /// Keys may change now and then, in both directions, and not all the time.
    @Test func changesOfKeysAreBounded() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.run()
        for count in 1...16 {
            #expect(unsafe SSL_key_update(talk.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            #expect(try Conversation.say([UInt8(count)], on: talk.client) == 1)
            #expect(try Conversation.say([UInt8(count)], on: talk.server) == 1)
            talk.run()
        }
        #expect(talk.heardByServer == Array(1...16) && talk.heardByClient == Array(1...16))
        unsafe SSL_key_update(talk.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
        #expect(try Conversation.say([0], on: talk.client) == 1)
        talk.run()
        #expect(talk.serverFailure?.description.contains("changes keys") == true)
        #expect(talk.heardByServer.count == 16)
    }

    /// A MiB of telemetry earns another change.
    @Test func changesOfKeysAreEarned() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.run()
        for _ in 1...16 {
            unsafe SSL_key_update(talk.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
            _ = try Conversation.say([0], on: talk.client)
            talk.run()
        }
        for _ in 0..<40 {
            _ = try Conversation.say([UInt8](repeating: 0, count: 30_000), on: talk.client)
            talk.run()
        }
        unsafe SSL_key_update(talk.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
        _ = try Conversation.say([7], on: talk.client)
        talk.run()
        #expect(talk.serverFailure == nil && talk.heardByServer.last == 7)
    }

    @Test func nothingIsWrittenBeforeTheHandshakeIsDone() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        #expect(try Conversation.say([1], on: talk.server) == 0)
        talk.server.sayGoodbye()
        #expect(talk.server.outputCount == 0)
    }

    /// A record that was tampered with ends the session, and what came before it was heard.
    @Test func aTamperedRecordIsFinal() throws {
        let talk = try Conversation(TLSContext(settings()), client())
        talk.run()
        _ = try Conversation.say([1, 2, 3], on: talk.client)
        talk.run()
        _ = try Conversation.say([4, 5, 6], on: talk.client)
        var record = Conversation.take(from: talk.client)[0]
        record[record.count - 1] ^= 1
        talk.giveServer(record)
        #expect(talk.heardByServer == [1, 2, 3])
        #expect(talk.server.state == .failed && talk.serverFailure?.reason == .other)
        #expect(throws: Never.self) { talk.giveServer([1]) }
    }
}

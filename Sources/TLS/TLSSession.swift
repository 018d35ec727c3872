// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COpenSSL

/// One connection's TLS as bytes in and bytes out; does no I/O and knows no clock.
///
/// `receive` takes ciphertext and gives plaintext, `write` takes plaintext; what is to go to the
/// peer waits as ciphertext until `sendOutput` takes it. Input never waits here, but for a part of
/// a record (16 KiB); output is bounded, see `outputSizeBytesMax`. Failures are final.
/// Thread: one at a time.
@safe
package final class TLSSession {
    package enum State: Sendable {
        case handshaking
        case open
        /// The peer has said that it sends no more.
        case ended
        case failed
    }

    package private(set) var state = State.handshaking
    /// What ALPN has chosen; nil before the handshake is done, or where the peer offered nothing.
    package private(set) var applicationProtocol: ApplicationLayerProtocol?
    /// Who the peer has proved to be; nil where it has shown no certificate.
    package private(set) var peerIdentity: PeerIdentity?

    let ssl: OpaquePointer
    private let isServer: Bool
    private let protocols: [ApplicationLayerProtocol]
    private let isProtocolRequired: Bool
    private let clientNames: [NamePattern]

    private var input = ByteSlice.empty
    private var output: [UInt8] = []
    private var sentCount = 0
    private var hasReceived = false
    /// Whether `sayGoodbye` has been called with effect: nothing more can be written.
    package private(set) var hasSaidGoodbye = false
    /// Why a callback refused; says more than OpenSSL's error.
    private var refusal: TLSFailure?
    private var keyUpdateCount = 0
    private var receivedSizeBytes = 0

    /// Plaintext of one record; what `receive` needs as scratch.
    package static let recordSizeBytesMax = 16 << 10
    /// Ciphertext that may wait. A record more fits whenever less than half of it is used.
    package static let outputSizeBytesMax = 128 << 10
    private static let keptCapacityBytes = 2 << 10
    /// Changes of keys beyond one per MiB received.
    private static let keyUpdateCountMax = 16

    /// The server's side. `protocols` in order of preference; `isProtocolRequired` refuses clients
    /// that do not take part in ALPN.
    package convenience init(
        server context: TLSContext, protocols: [ApplicationLayerProtocol], isProtocolRequired: Bool
    ) {
        self.init(
            context.handle, isServer: true, protocols: protocols,
            isProtocolRequired: isProtocolRequired, clientNames: context.clientNames)
        unsafe SSL_set_accept_state(ssl)
    }

    /// The client's side; its first message waits as output. Fails where a name is no name.
    package convenience init(client context: TLSClientContext) throws(TLSFailure) {
        self.init(
            context.handle, isServer: false, protocols: context.protocols,
            isProtocolRequired: false, clientNames: [])
        unsafe SSL_set_connect_state(ssl)
        if !context.serverName.isEmpty { try expect(serverName: context.serverName) }
        try advanceHandshake()
    }

    private init(
        _ context: borrowing ContextHandle, isServer: Bool, protocols: [ApplicationLayerProtocol],
        isProtocolRequired: Bool, clientNames: [NamePattern]
    ) {
        guard let ssl = unsafe SSL_new(context.raw) else { preconditionFailure("no memory") }
        unsafe self.ssl = ssl
        self.isServer = isServer
        self.protocols = protocols
        self.isProtocolRequired = isProtocolRequired
        self.clientNames = clientNames
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        _ = unsafe SSL_set_ex_data(ssl, 0, me)
        unsafe SessionBIO.attach(self, to: ssl)
    }

    deinit { unsafe SSL_free(ssl) }

    private func expect(serverName name: String) throws(TLSFailure) {
        let parameters = unsafe SSL_get0_param(ssl)
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        ERR_clear_error()
        // SNI is for names only (RFC 6066, 3).
        guard unsafe SSL_set1_host(ssl, name) == 1, unsafe tls_set_host_name(ssl, name) == 1 else {
            throw fail(TLSFailure(.other, "\"\(name)\" is no name of a server"))
        }
    }

    // MARK: From the peer

    /// Takes all of `ciphertext`, and calls `deliver` with what it says; the bytes are valid during
    /// the call. `scratch` has `recordSizeBytesMax` bytes and is used meanwhile.
    ///
    /// On failure an alert that says why may wait as output. Cost: one copy and the cipher.
    package func receive(
        _ ciphertext: ByteSlice, scratch: UnsafeMutableRawBufferPointer,
        deliver: (ByteSlice) -> Void
    ) throws(TLSFailure) {
        guard state == .handshaking || state == .open, !ciphertext.isEmpty else { return }
        // A record of the handshake begins so (RFC 8446, 5.1); plain HTTP ends here, without
        // OpenSSL.
        if !hasReceived, ciphertext[0] != UInt8(SSL3_RT_HANDSHAKE), isServer { throw fail(.notTLS) }
        hasReceived = true
        receivedSizeBytes &+= ciphertext.count
        input = ciphertext
        defer { input = .empty }
        if state == .handshaking { try advanceHandshake() }
        while state == .open, unsafe try readRecord(into: scratch, deliver) {}
    }

    /// Delivers one record; false where there is no whole one, or no more will come.
    private func readRecord(
        into scratch: UnsafeMutableRawBufferPointer, _ deliver: (ByteSlice) -> Void
    ) throws(TLSFailure) -> Bool {
        var count = 0
        ERR_clear_error()
        let result = unsafe SSL_read_ex(ssl, scratch.baseAddress, scratch.count, &count)
        if let refusal { throw fail(refusal) }
        guard result != 1 else {
            unsafe deliver(ByteSlice(base: scratch.baseAddress, count: count))
            return true
        }
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ:
            return false
        case SSL_ERROR_ZERO_RETURN:
            state = .ended
            return false
        default:
            throw fail(failure())
        }
    }

    private func advanceHandshake() throws(TLSFailure) {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        guard result != 1 else { return finishHandshake() }
        guard unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else {
            throw fail(failure())
        }
    }

    private func finishHandshake() {
        state = .open
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &start, &count)
        let name = unsafe String(
            decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
        applicationProtocol = ApplicationLayerProtocol(rawValue: name)
        guard isServer, let raw = unsafe SSL_get1_peer_certificate(ssl) else { return }
        peerIdentity = unsafe Certificate(owning: raw).identity
    }

    // MARK: To the peer

    /// Encrypts the first bytes of `plaintext`, up to one record, and returns how many; 0 before
    /// the handshake is done, and while too much output waits.
    package func write(_ plaintext: ByteSlice) throws(TLSFailure) -> Int {
        guard state == .open || state == .ended, !hasSaidGoodbye, !plaintext.isEmpty,
            outputCount < TLSSession.outputSizeBytesMax / 2
        else { return 0 }
        var count = 0
        ERR_clear_error()
        let size = min(plaintext.count, TLSSession.recordSizeBytesMax)
        guard unsafe SSL_write_ex(ssl, plaintext.base, size, &count) == 1 else {
            throw fail(failure())
        }
        return count
    }

    /// Says that no more will be written (close_notify). Without effect before the handshake is
    /// done.
    package func sayGoodbye() {
        guard state == .open || state == .ended, !hasSaidGoodbye else { return }
        hasSaidGoodbye = true
        ERR_clear_error()
        unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Bytes of ciphertext that wait.
    package var outputCount: Int { output.count - sentCount }

    /// Shows what waits; `body` returns how much of it has gone.
    package func sendOutput(_ body: (ByteSlice) -> Int) {
        guard outputCount > 0 else { return }
        sentCount += unsafe output.withUnsafeBytes {
            unsafe body(ByteSlice(UnsafeRawBufferPointer(rebasing: $0[sentCount...])))
        }
        guard sentCount == output.count else { return }
        output.removeAll(keepingCapacity: output.capacity <= TLSSession.keptCapacityBytes)
        sentCount = 0
    }

    // MARK: Failure

    private func fail(_ failure: TLSFailure) -> TLSFailure {
        state = .failed
        return failure
    }

    private func failure() -> TLSFailure {
        let found = TLSFailure.ofOpenSSL()
        if let refusal { return refusal }
        guard found.reason == .certificate else { return found }
        let code = unsafe SSL_get_verify_result(ssl)
        let text = unsafe String(cString: X509_verify_cert_error_string(code))
        return TLSFailure(.certificate, "the peer's certificate is not accepted: \(text)")
    }
}

// MARK: For the callbacks

extension TLSSession {
    static func of(_ ssl: OpaquePointer?) -> TLSSession? {
        guard let data = unsafe SSL_get_ex_data(ssl, 0) else { return nil }
        return unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    /// Where in a list of names, each behind its length, the one lies that is to be spoken.
    func choose(from list: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        var offered: [(name: String, range: Range<Int>)] = []
        var offset = 0
        while offset < list.count {
            let start = offset + 1
            let end = unsafe start + Int(list[offset])
            guard end <= list.count else { break }
            let name = unsafe String(decoding: list[start..<end], as: UTF8.self)
            offered.append((name, start..<end))
            offset = end
        }
        for wanted in protocols {
            if let found = offered.first(where: { $0.name == wanted.rawValue }) {
                return found.range
            }
        }
        refuseProtocol("the peer offers only \(TLSFailure.listing(offered.map(\.name)))")
        return nil
    }

    func accepts(isOfferingProtocols: Bool) -> Bool {
        guard isProtocolRequired, !isOfferingProtocols else { return true }
        refuseProtocol("the peer does not say what it speaks (ALPN)")
        return false
    }

    private func refuseProtocol(_ problem: String) {
        let list = protocols.map(\.rawValue).joined(separator: ", ")
        refusal = TLSFailure(.applicationProtocol, "\(problem); spoken here: \(list)")
    }

    func accepts(names: [String]) -> Bool {
        let isAccepted =
            clientNames.isEmpty
            || clientNames.contains { pattern in names.contains { pattern.matches($0) } }
        if !isAccepted {
            let list = TLSFailure.listing(names)
            refusal = TLSFailure(
                .certificate, "no name of the peer's certificate is in tls.client_names: \(list)")
        }
        return isAccepted
    }

    func countKeyUpdate() {
        keyUpdateCount += 1
        if keyUpdateCount > TLSSession.keyUpdateCountMax + receivedSizeBytes >> 20 {
            refusal = .keyUpdates
        }
    }

    /// How many bytes of the input were copied; 0 where there is none.
    func takeInput(into target: UnsafeMutablePointer<CChar>, count: Int) -> Int {
        let size = min(count, input.count)
        guard size > 0, let base = unsafe input.base else { return 0 }
        unsafe UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: size)
        input = input.slice(offset: size, count: input.count - size)
        return size
    }

    /// False where too much waits: a peer that makes us answer and does not read.
    func appendOutput(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard outputCount + bytes.count <= TLSSession.outputSizeBytesMax else {
            refusal = .unread
            return false
        }
        unsafe output.append(contentsOf: bytes)
        return true
    }
}

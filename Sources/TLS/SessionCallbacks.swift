// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

// What OpenSSL calls during a session. Each finds its session and forwards; none may throw, block,
// or call back into OpenSSL for the same session but for looking.

/// ALPN (RFC 7301): the first of our protocols that the client offers, or a fatal alert.
func selectProtocol(
    ssl: OpaquePointer?, chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    chosenCount: UnsafeMutablePointer<UInt8>?, offered: UnsafePointer<UInt8>?, offeredCount: UInt32,
    argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe TLSSession.of(ssl), let offered = unsafe offered else {
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    guard let range = unsafe session.choose(from: list) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    unsafe chosen?.pointee = offered + range.lowerBound
    unsafe chosenCount?.pointee = UInt8(range.count)
    return SSL_TLSEXT_ERR_OK
}

/// A client that does not take part in ALPN never comes to `selectProtocol`.
func lookAtHello(
    ssl: OpaquePointer?, alert: UnsafeMutablePointer<Int32>?, argument: UnsafeMutableRawPointer?
) -> Int32 {
    guard let session = unsafe TLSSession.of(ssl) else { return SSL_CLIENT_HELLO_ERROR }
    var start: UnsafePointer<UInt8>?
    var count = 0
    let isOffering =
        unsafe SSL_client_hello_get0_ext(
            ssl, UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation), &start, &count) == 1
    guard session.accepts(isOfferingProtocols: isOffering) else {
        unsafe alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
        return SSL_CLIENT_HELLO_ERROR
    }
    return SSL_CLIENT_HELLO_SUCCESS
}

/// Called for each certificate of the peer's chain that OpenSSL has looked at; the peer's own is
/// the last, at depth 0.
func checkPeer(isGood: Int32, store: OpaquePointer?) -> Int32 {
    guard isGood == 1, unsafe X509_STORE_CTX_get_error_depth(store) == 0 else { return isGood }
    let found = unsafe X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
    guard let found = unsafe found, let session = unsafe TLSSession.of(OpaquePointer(found)),
        let certificate = unsafe X509_STORE_CTX_get_current_cert(store),
        session.accepts(names: unsafe Certificate.names(of: certificate))
    else {
        unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED)
        return 0
    }
    return 1
}

/// Every message of the handshake and after it.
func seeMessage(
    isSent: Int32, version: Int32, contentType: Int32, message: UnsafeRawPointer?, count: Int,
    ssl: OpaquePointer?, argument: UnsafeMutableRawPointer?
) {
    guard contentType == SSL3_RT_HANDSHAKE, isSent == 0, count > 0, let message = unsafe message,
        unsafe message.load(as: UInt8.self) == UInt8(SSL3_MT_KEY_UPDATE)
    else { return }
    unsafe TLSSession.of(ssl)?.countKeyUpdate()
}

/// OpenSSL's view of a session's bytes: what has arrived is read in place, what is to be sent is
/// appended to the session's output.
enum SessionBIO {
    /// Made once, for the life of the process.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = unsafe BIO_meth_new(type, "starling") else {
            preconditionFailure("OpenSSL has no memory")
        }
        unsafe BIO_meth_set_read(method) { bio, target, count in
            guard let session = unsafe session(of: bio), let target = unsafe target else {
                return -1
            }
            let taken = unsafe session.takeInput(into: target, count: Int(count))
            guard taken == 0 else { return Int32(taken) }
            unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        unsafe BIO_meth_set_write(method) { bio, source, count in
            guard let session = unsafe session(of: bio), let source = unsafe source else {
                return -1
            }
            let bytes = unsafe UnsafeRawBufferPointer(start: source, count: Int(count))
            return unsafe session.appendOutput(bytes) ? count : -1
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return unsafe method
    }()

    private static func session(of bio: OpaquePointer?) -> TLSSession? {
        unsafe BIO_clear_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    /// Gives `ssl` a BIO of `session`, which has to outlive it.
    static func attach(_ session: TLSSession, to ssl: OpaquePointer) {
        guard let bio = unsafe BIO_new(method) else { preconditionFailure("no memory") }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
        unsafe BIO_set_init(bio, 1)
        unsafe SSL_set_bio(ssl, bio, bio)
    }
}

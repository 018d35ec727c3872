// SPDX-License-Identifier: Apache-2.0
import Base

@testable import TLS

/// Two sessions that talk to each other in memory.
final class Conversation {
    let server: TLSSession
    let client: TLSSession
    /// What each has been told.
    private(set) var heardByServer: [UInt8] = []
    private(set) var heardByClient: [UInt8] = []
    private(set) var serverFailure: TLSFailure?
    private(set) var clientFailure: TLSFailure?

    init(
        _ server: TLSContext, _ client: TLSClientContext,
        protocols: [ApplicationLayerProtocol] = [.http2], isProtocolRequired: Bool = true
    ) throws {
        self.server = TLSSession(
            server: server, protocols: protocols, isProtocolRequired: isProtocolRequired)
        self.client = try TLSSession(client: client)
    }

    /// Carries bytes to and fro, `pieceSize` at a time, until both have nothing more to send.
    func run(pieceSize: Int = .max) {
        while client.outputCount + server.outputCount > 0 {
            for piece in Conversation.take(from: client, pieceSize) { giveServer(piece) }
            for piece in Conversation.take(from: server, pieceSize) { giveClient(piece) }
        }
    }

    func giveServer(_ bytes: [UInt8]) {
        do throws(TLSFailure) {
            heardByServer += try Conversation.give(bytes, to: server)
        } catch {
            serverFailure = error
        }
    }

    func giveClient(_ bytes: [UInt8]) {
        do throws(TLSFailure) {
            heardByClient += try Conversation.give(bytes, to: client)
        } catch {
            clientFailure = error
        }
    }

    /// Everything that waits in `session`, in pieces.
    static func take(from session: TLSSession, _ pieceSize: Int = .max) -> [[UInt8]] {
        var bytes: [UInt8] = []
        session.sendOutput {
            unsafe bytes += Array($0.buffer)
            return $0.count
        }
        return stride(from: 0, to: bytes.count, by: min(pieceSize, max(1, bytes.count))).map {
            Array(bytes[$0..<min(bytes.count, $0 + min(pieceSize, bytes.count))])
        }
    }

    /// What `session` hears when `bytes` arrive.
    static func give(_ bytes: [UInt8], to session: TLSSession) throws(TLSFailure) -> [UInt8] {
        let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: TLSSession.recordSizeBytesMax, alignment: 16)
        defer { unsafe scratch.deallocate() }
        var heard: [UInt8] = []
        var failure: TLSFailure?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(TLSFailure) {
                try unsafe session.receive(ByteSlice(buffer), scratch: scratch) {
                    unsafe heard += Array($0.buffer)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return heard
    }

    /// Writes what fits of `bytes`, and returns how much that was.
    static func say(_ bytes: [UInt8], on session: TLSSession) throws(TLSFailure) -> Int {
        var saidCount = 0
        var failure: TLSFailure?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(TLSFailure) {
                while saidCount < buffer.count {
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[saidCount...])
                    let count = try unsafe session.write(ByteSlice(rest))
                    guard count > 0 else { break }
                    saidCount += count
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return saidCount
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Logging
internal import Socket
internal import Synchronization
internal import TLS

/// TLS of all listeners: the certificate of the moment, loaded again when its files change.
///
/// Thread: `lookIfDue` and `adopt` the main thread; the rest any.
final class TLSKeeper: Sendable {
    private let source: TLSSource
    private let listeners: [ListenerName]
    private let counters: Counters
    private let logger: Logger
    private let failureLog: TLSFailureLog
    private let state: Mutex<State>

    private struct State {
        var security: Configuration.Security
        var stamps: [FileStamp]
        var nextLookNs: UInt64
        var nextWarningNs: UInt64
    }

    private static let warningPeriodNs: UInt64 = 86_400_000_000_000

    /// Nil where TLS is off. Errors: files that are wrong now and were right when the configuration
    /// was read.
    init?(
        _ security: Configuration.Security, counters: Counters, logger: Logger
    ) throws(DaemonError) {
        guard security.isOn else { return nil }
        let stamps = security.settings.files.map { FileStamp($0) }
        do throws(TLSFault) {
            source = TLSSource(
                try TLSContext(security.settings),
                handshakeTimeoutNs: UInt64(security.handshakeTimeoutMs) * 1_000_000)
        } catch {
            throw DaemonError(.failed, "TLS: \(error)")
        }
        listeners = security.listeners
        self.counters = counters
        self.logger = logger
        failureLog = TLSFailureLog(logger)
        let nowNs = Clock.monotonicNs
        state = Mutex(
            State(
                security: security, stamps: stamps,
                nextLookNs: nowNs + UInt64(security.reloadIntervalMs) * 1_000_000,
                nextWarningNs: nowNs + TLSKeeper.warningPeriodNs))
    }

    /// TLS for one listener; nil where it speaks none.
    func acceptor(for listener: ListenerName, at endpoint: Endpoint) -> TLSAcceptor? {
        guard listeners.contains(listener), !endpoint.isUnix else { return nil }
        let failureLog = self.failureLog
        let protocols: [ApplicationLayerProtocol] =
            switch listener {
            case .grpc: [.http2]
            case .http: [.http2, .http1]
            case .api, .jaeger: [.http1]
            }
        return TLSAcceptor(
            source, protocols: protocols,
            isProtocolRequired: listener == .grpc, counters: counters,
            noteFailure: { failureLog.note($0, on: listener) })
    }

    /// The certificate that new connections see.
    func observe() -> DaemonObservation.Certificate {
        let facts = source.context.certificate
        return DaemonObservation.Certificate(
            identity: facts.identity, notAfterUnixSeconds: facts.notAfterUnixSeconds)
    }

    // MARK: Reload

    /// Takes over what a reload of the configuration brought, and loads the files in any case.
    func adopt(_ security: Configuration.Security) {
        state.withLock { $0.security = security }
        load()
    }

    /// Looks at the files when it is time to, and loads them if they have changed.
    func lookIfDue(nowNs: UInt64) {
        let isChanged = state.withLock { state in
            guard nowNs >= state.nextLookNs else { return false }
            state.nextLookNs = nowNs + UInt64(state.security.reloadIntervalMs) * 1_000_000
            return state.stamps != state.security.settings.files.map { FileStamp($0) }
        }
        if isChanged { load() }
        warnIfDue(nowNs: nowNs)
    }

    /// Loads the files, changed or not; those in force stay where that fails.
    func load() {
        // Before the files are read: what changes meanwhile is seen the next time.
        let security = state.withLock { state in
            state.stamps = state.security.settings.files.map { FileStamp($0) }
            return state.security
        }
        do throws(TLSFault) {
            let context = try TLSContext(security.settings)
            let before = source.context.certificate
            source.replace(
                context, handshakeTimeoutNs: UInt64(security.handshakeTimeoutMs) * 1_000_000)
            counters.add(.tlsReloads)
            logger.notice(
                "the TLS files were loaded again",
                metadata: [
                    "certificate": context.certificate == before ? "the same" : "another",
                    "fingerprint": "\(context.certificate.identity.fingerprint)",
                ])
            warn(context)
        } catch {
            counters.add(.tlsReloadFailures)
            logger.error(
                "the TLS files in force stay: tls.\(error.subject.rawValue): \(error)")
        }
    }

    private func warnIfDue(nowNs: UInt64) {
        let isDue = state.withLock { state in
            guard nowNs >= state.nextWarningNs else { return false }
            state.nextWarningNs = nowNs + TLSKeeper.warningPeriodNs
            return true
        }
        if isDue { warn(source.context) }
    }

    private func warn(_ context: TLSContext) {
        for note in context.notes(nowUnixNs: Clock.unixNs) { logger.warning("\(note)") }
    }
}

/// Logs why handshakes fail: the first of each reason, then one a minute with how many there were.
///
/// Thread: any. Cost: one lock per failed handshake.
final class TLSFailureLog: Sendable {
    private struct Entry {
        var lastLogNs: UInt64
        var countSince = 0
    }

    private let logger: Logger
    private let entries = Mutex<[TLSFailure.Reason: Entry]>([:])

    private static let periodNs: UInt64 = 60_000_000_000

    init(_ logger: Logger) { self.logger = logger }

    func note(_ failure: TLSFailure, on listener: ListenerName) {
        let nowNs = Clock.monotonicNs
        let count: Int? = entries.withLock { entries in
            var entry = entries[failure.reason] ?? Entry(lastLogNs: 0)
            entry.countSince += 1
            let isDue = entry.lastLogNs == 0 || nowNs - entry.lastLogNs >= TLSFailureLog.periodNs
            let count = entry.countSince
            if isDue { entry = Entry(lastLogNs: nowNs) }
            entries[failure.reason] = entry
            return isDue ? count : nil
        }
        guard let count else { return }
        logger.notice(
            "a TLS handshake failed",
            metadata: [
                "listener": "\(listener.rawValue)", "reason": "\(failure)", "count": "\(count)",
            ])
    }
}

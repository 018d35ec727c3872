// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// What tells systemd (or whoever plays its part) how the daemon is doing: sd_notify(3), without
/// libsystemd.
///
/// Outside of a service manager every call does nothing. Thread: any. Cost: one datagram.
package final class ServiceManager: Sendable {
    /// How often systemd wants a sign of life, at least; nil if it does not. Send one at half of
    /// this, from where the work is done and only while it goes on.
    package let watchdogPeriodMs: Int?

    private let address: UnixAddress?
    /// Owned; -1 where nobody listens.
    private let descriptor: Int32

    /// The names that `init` looks at.
    package static let variableNames = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]

    /// The service manager that `environment` describes to the process `processID`.
    ///
    /// An address of a kind that is not known (only paths and abstract names are) counts as none.
    package init(environment: [String: String], processID: Int32) {
        address = environment["NOTIFY_SOCKET"].flatMap(UnixAddress.init)
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = address == nil ? -1 : socket(AF_UNIX, kind, 0)
        if descriptor >= 0 { ServiceManager.limitWaiting(descriptor) }
        watchdogPeriodMs = ServiceManager.watchdogPeriodMs(environment, processID: processID)
    }

    deinit { if isPresent { _ = close(descriptor) } }

    /// The service manager of this process. Removes its variables, so that children do not speak
    /// for us.
    ///
    /// Thread: call while there is one thread.
    package static func ofThisProcess() -> ServiceManager {
        let manager = ServiceManager(environment: ProcessEnvironment.all(), processID: getpid())
        ProcessEnvironment.remove(variableNames)
        return manager
    }

    /// Whether anyone listens.
    package var isPresent: Bool { descriptor >= 0 }

    /// Start-up, or a reload, is complete. Waits until it is delivered, but not for ever.
    package func ready(status: String) {
        send("READY=1\nSTATUS=\(ServiceManager.oneLine(status))", isWaiting: true)
    }

    /// A reload begins; `ready` ends it. The time is for Type=notify-reload (systemd 253).
    package func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicNs / 1_000)", isWaiting: true)
    }

    /// Shutdown begins.
    package func stopping(status: String) {
        send("STOPPING=1\nSTATUS=\(ServiceManager.oneLine(status))", isWaiting: true)
    }

    /// One line for `systemctl status`.
    package func status(_ text: String) {
        send("STATUS=\(ServiceManager.oneLine(text))", isWaiting: false)
    }

    /// A sign of life, if one is wanted. Never waits: if the service manager does not read, the
    /// next one will do.
    package func watchdog() {
        if watchdogPeriodMs != nil { send("WATCHDOG=1", isWaiting: false) }
    }

    /// Start-up or shutdown goes on and needs `ms` milliseconds more than now.
    package func extendTimeout(ms: Int) {
        send("EXTEND_TIMEOUT_USEC=\(ms * 1_000)", isWaiting: false)
    }

    private func send(_ message: String, isWaiting: Bool) {
        guard let address, isPresent else { return }
        let flags = Int32(MSG_NOSIGNAL) | (isWaiting ? 0 : Int32(MSG_DONTWAIT))
        let bytes = Array(message.utf8)
        unsafe address.withPointer { pointer, size in
            while true {
                let sent = unsafe sendto(descriptor, bytes, bytes.count, flags, pointer, size)
                if sent >= 0 || linux_errno() != EINTR { return }
            }
        }
    }

    /// Who does not read for a second is not waited for: a shutdown must not hang on it.
    private static func limitWaiting(_ descriptor: Int32) {
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
    }

    private static func watchdogPeriodMs(_ environment: [String: String], processID: Int32) -> Int?
    {
        guard let periodUs = environment["WATCHDOG_USEC"].flatMap({ Int($0) }), periodUs > 0 else {
            return nil
        }
        if let owner = environment["WATCHDOG_PID"], Int32(owner) != processID { return nil }
        return max(1, periodUs / 1_000)
    }

    /// A line break would begin another assignment.
    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}

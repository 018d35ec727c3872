// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// A flag that any thread may raise, and that every blocking wait of this module also waits for.
///
/// It is an eventfd that nobody drains: once fired it stays readable, so that one object stops any
/// number of connections, whether they wait now or later.
/// Ownership: shared; must outlive the connections that hold it, which they ensure by holding it.
/// Thread: any.
package final class StopSignal: Sendable {
    /// Readable after `fire()`.
    let descriptor: Int32

    package init() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(descriptor >= 0, "eventfd failed")
    }

    deinit { close(descriptor) }

    /// Ends every wait, present and future. Safe to call more than once.
    package func fire() {
        var one: UInt64 = 1
        // The one possible failure is EAGAIN at 2^64 - 2 calls, when the signal is long visible.
        _ = unsafe write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    package var isFired: Bool { waitUntilReadable(descriptor, timeoutMs: 0) }

    /// Sleeps for `delayMs` unless the signal is or gets fired; true when it was.
    package func wait(delayMs: Int) -> Bool {
        let deadlineNs = Clock.monotonicNs + UInt64(max(0, delayMs)) * 1_000_000
        while true {
            let leftMs = Deadline.leftMs(untilNs: deadlineNs)
            if waitUntilReadable(descriptor, timeoutMs: leftMs) { return true }
            if Clock.monotonicNs >= deadlineNs { return false }
        }
    }

    private func waitUntilReadable(_ descriptor: Int32, timeoutMs: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, timeoutMs) == 1
    }
}

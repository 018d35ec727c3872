// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// A line on stderr that says how far long work is; only where stderr is a terminal.
enum ProgressLine {
    /// Runs `work` and shows what `status` says, twice a second, until it returns.
    static func showing<R>(
        _ status: @escaping @Sendable () -> String, isOn: Bool = true, while work: () -> R
    ) -> R {
        guard isOn, isatty(STDERR_FILENO) == 1 else { return work() }
        let stop = ProgressStop()
        let thread = WorkerThread(name: "progress") {
            while !stop.wait(ms: 500) { write("\r\u{1b}[K" + status()) }
            write("\r\u{1b}[K")
        }
        let result = work()
        stop.fire()
        thread.join()
        return result
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe CLinux.write(STDERR_FILENO, bytes, bytes.count)
    }
}

/// Tells the thread of the line that the work is done.
private final class ProgressStop: @unchecked Sendable {
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var isFired = false

    func fire() {
        monitor.withLock {
            isFired = true
            monitor.broadcast()
        }
    }

    /// Waits until fired, at most `ms`; true when it was.
    func wait(ms: Int) -> Bool {
        let deadlineNs = Clock.monotonicNs + UInt64(ms) * 1_000_000
        monitor.lock()
        defer { monitor.unlock() }
        while !isFired {
            if !monitor.wait(deadlineNs: deadlineNs) { return isFired }
        }
        return true
    }
}

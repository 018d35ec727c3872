// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The signals that steer the daemon, taken by one thread that waits for them.
///
/// Make it before any other thread exists: threads inherit the mask.
struct Signals: ~Copyable {
    enum Received { case terminate, reload }

    private var set = sigset_t()

    /// Blocks the signals for this thread and all that it will start, and ignores SIGPIPE and
    /// SIGXFSZ: a peer that is gone, and a file that may not grow, are errors of a write, not
    /// reasons to die.
    init() {
        unsafe sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, number) }
        let result = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        precondition(result == 0)
        linux_ignore_sigpipe()
        linux_ignore_sigxfsz()
    }

    /// The next signal, or nil when none comes within `timeoutMs`.
    mutating func wait(timeoutMs: Int) -> Received? {
        var timeout = timespec(
            tv_sec: timeoutMs / 1_000, tv_nsec: timeoutMs % 1_000 * 1_000_000)
        switch unsafe sigtimedwait(&set, nil, &timeout) {
        case SIGTERM, SIGINT: return .terminate
        case SIGHUP: return .reload
        default: return nil
        }
    }
}

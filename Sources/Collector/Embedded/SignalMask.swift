// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Which signals a thread takes.
enum SignalMask {
    /// Runs `body` with every signal blocked. Threads that it starts keep that for ever: signals
    /// are for the main thread, and one that another thread took would end the process.
    static func withAllBlocked<R>(_ body: () -> R) -> R {
        var all = sigset_t()
        unsafe sigfillset(&all)
        var before = sigset_t()
        let result = unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        precondition(result == 0)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        return body()
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// A mutual exclusion lock with one condition to wait for: `Mutex` cannot wait.
///
/// Thread: any. The lock is not recursive.
@safe
package final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init() {
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        precondition(unsafe pthread_mutex_init(mutex, nil) == 0)
        precondition(unsafe pthread_cond_init(condition, &attributes) == 0)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func lock() {
        let result = unsafe pthread_mutex_lock(mutex)
        precondition(result == 0)
    }

    package func unlock() {
        let result = unsafe pthread_mutex_unlock(mutex)
        precondition(result == 0)
    }

    /// Runs `body` while holding the lock.
    package func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Gives the lock up, sleeps until signalled, takes it again. May wake without cause: loop.
    package func wait() {
        let result = unsafe pthread_cond_wait(condition, mutex)
        precondition(result == 0)
    }

    /// As `wait()`, but not past `deadlineNs` on the monotonic clock; false when that passed.
    package func wait(deadlineNs: UInt64) -> Bool {
        var deadline = timespec(
            tv_sec: Int(deadlineNs / 1_000_000_000), tv_nsec: Int(deadlineNs % 1_000_000_000))
        let result = unsafe pthread_cond_timedwait(condition, mutex, &deadline)
        precondition(result == 0 || result == ETIMEDOUT)
        return result == 0
    }

    package func signal() { unsafe pthread_cond_signal(condition) }

    package func broadcast() { unsafe pthread_cond_broadcast(condition) }
}

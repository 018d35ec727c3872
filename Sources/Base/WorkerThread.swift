// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// An operating system thread with a name and a known stack, running one closure to its end.
@safe
package final class WorkerThread: @unchecked Sendable {
    private let handle: pthread_t

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts at once. `name` is cut to 15 bytes, which is what the kernel keeps.
    ///
    /// The stack default of 1 MiB is for protobuf-c, which recurses about 2 KB per level of
    /// AnyValue; the pre-scan admits 64 levels.
    package init(name: String, stackSizeBytes: Int = 1 << 20, body: @escaping @Sendable () -> Void)
    {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, stackSizeBytes)
        let start = unsafe Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body))
        var created = pthread_t()
        let result = unsafe pthread_create(
            &created, &attributes,
            { context in
                let start = unsafe Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
                unsafe pthread_setname_np(pthread_self(), start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(result == 0, "pthread_create failed")
        unsafe pthread_attr_destroy(&attributes)
        handle = created
    }

    /// Waits for the closure to return. Call once.
    package func join() {
        let result = pthread_join(handle, nil)
        precondition(result == 0)
    }

    /// Suspends the calling thread: for delays between attempts on threads that serve nothing else.
    package static func pause(ms: Int) {
        var time = timespec(tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000)
        var rest = timespec()
        while unsafe nanosleep(&time, &rest) != 0 { time = rest }
    }
}

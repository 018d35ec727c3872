// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Makes an event loop turn, from any thread. Cost: one write to an eventfd.
package final class Wakeup: Sendable {
    let descriptor: FileDescriptor

    init() throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else { throw SystemError("eventfd") }
        descriptor = FileDescriptor(owning: raw)
    }

    package func signal() {
        var one: UInt64 = 1
        // EAGAIN means the counter is full, hence the loop already has a reason to turn.
        _ = unsafe write(descriptor.raw, &one, MemoryLayout<UInt64>.size)
    }

    func drain() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor.raw, &count, MemoryLayout<UInt64>.size)
    }
}

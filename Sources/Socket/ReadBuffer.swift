// SPDX-License-Identifier: Apache-2.0
package import Base

/// The one input buffer of a thread, shared by all its sockets: input never waits in it.
///
/// Ownership: owns its storage. Thread: one.
@safe
package final class ReadBuffer {
    package let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    package init() {}

    deinit { unsafe bytes.deallocate() }

    /// The first `count` bytes, valid until the next read.
    package func prefix(_ count: Int) -> ByteSlice {
        unsafe ByteSlice(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
}

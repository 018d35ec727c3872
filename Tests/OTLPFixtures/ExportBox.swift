// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

/// Holds an export where values that can be copied are needed.
package final class ExportBox {
    package let export: Export

    package init(_ signal: Signal, _ bytes: [UInt8], budget: MemoryBudget) throws {
        let body = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { unsafe body.deallocate() }
        unsafe body.copyBytes(from: bytes)
        export = try unsafe Decoder.decode(
            signal: signal, body: ByteSlice(UnsafeRawBufferPointer(body)),
            limits: DecodeLimits(requestSizeBytesMax: 1 << 20), budget: budget)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

extension Export {
    /// Bytes that `pack` hands over. Walks all messages.
    package var packedSizeBytes: Int {
        unsafe protobuf_c_message_get_packed_size(message)
    }

    /// Hands the export over as an `Export…ServiceRequest` on the wire, piece by piece.
    ///
    /// What comes out decodes to the same export; it need not be the bytes that came in, because
    /// fields that this version does not know are left out. Nothing is allocated for the whole: the
    /// pieces are views of messages and of small buffers, valid for the call.
    package borrowing func pack(_ emit: (ByteSlice) -> Void) {
        withoutActuallyEscaping(emit) { emit in
            let sink = PackSink(emit)
            unsafe sink.withBuffer { unsafe _ = protobuf_c_message_pack_to_buffer(message, $0) }
        }
    }

    private var message: UnsafePointer<ProtobufCMessage> {
        unsafe root.assumingMemoryBound(to: ProtobufCMessage.self)
    }
}

/// A `ProtobufCBuffer` with a closure behind it: protobuf-c gives its function the address of the
/// buffer and nothing else, so what it needs lies right behind.
private final class PackSink {
    private let emit: (ByteSlice) -> Void

    init(_ emit: @escaping (ByteSlice) -> Void) { self.emit = emit }

    private static let contextOffset = MemoryLayout<ProtobufCBuffer>.stride

    func withBuffer(_ body: (UnsafeMutablePointer<ProtobufCBuffer>) -> Void) {
        let pointerSize = unsafe MemoryLayout<UnsafeMutableRawPointer>.stride
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: PackSink.contextOffset + pointerSize,
            alignment: MemoryLayout<ProtobufCBuffer>.alignment)
        defer { unsafe memory.deallocate() }
        let buffer = unsafe memory.bindMemory(to: ProtobufCBuffer.self, capacity: 1)
        unsafe buffer.initialize(
            to: ProtobufCBuffer(append: { buffer, sizeBytes, bytes in
                guard let buffer = unsafe buffer, sizeBytes > 0 else { return }
                let context = unsafe UnsafeRawPointer(buffer).load(
                    fromByteOffset: PackSink.contextOffset, as: UnsafeRawPointer.self)
                let sink = unsafe Unmanaged<PackSink>.fromOpaque(context).takeUnretainedValue()
                unsafe sink.emit(ByteSlice(base: UnsafeRawPointer(bytes), count: sizeBytes))
            }))
        unsafe memory.storeBytes(
            of: UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()),
            toByteOffset: PackSink.contextOffset, as: UnsafeRawPointer.self)
        unsafe body(buffer)
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `InstrumentationScope`: the library that recorded the telemetry.
@safe
package struct ScopeView: MessageView {
    let message: UnsafePointer<Otlp__InstrumentationScope>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__InstrumentationScope.self)
    }

    package var name: ByteSlice { unsafe byteSlice(message.pointee.name) }

    package var version: ByteSlice { unsafe byteSlice(message.pointee.version) }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `KeyValue`: one attribute, or one member of a list of pairs.
@safe
package struct KeyValueView: MessageView {
    let message: UnsafePointer<Otlp__KeyValue>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__KeyValue.self)
    }

    package var key: ByteSlice { unsafe byteSlice(message.pointee.key) }

    /// Nil when the message is absent, which means the same as an empty value.
    package var value: AnyValueView? {
        unsafe message.pointee.value.map { unsafe AnyValueView($0) }
    }
}

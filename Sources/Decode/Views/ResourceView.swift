// SPDX-License-Identifier: Apache-2.0
package import Base
internal import COTLP

/// `Resource`: who produced the telemetry.
@safe
package struct ResourceView: MessageView {
    let message: UnsafePointer<Otlp__Resource>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__Resource.self)
    }

    package var attributes: WireMessageList<KeyValueView> {
        unsafe WireMessageList(message.pointee.attributes, count: message.pointee.n_attributes)
    }

    package var droppedAttributesCount: UInt32 { unsafe message.pointee.dropped_attributes_count }

    package var entityRefs: MessageList<EntityRefView> {
        unsafe MessageList(message.pointee.entity_refs, count: message.pointee.n_entity_refs)
    }
}

/// `EntityRef`: which resource attributes identify and describe one entity.
@safe
package struct EntityRefView: MessageView {
    let message: UnsafePointer<Otlp__EntityRef>

    package init(_ message: UnsafeRawPointer) {
        unsafe self.message = message.assumingMemoryBound(to: Otlp__EntityRef.self)
    }

    package var schemaURL: ByteSlice { unsafe byteSlice(message.pointee.schema_url) }

    package var type: ByteSlice { unsafe byteSlice(message.pointee.type) }

    package var idKeys: ByteSliceList {
        unsafe ByteSliceList(message.pointee.id_keys, count: message.pointee.n_id_keys)
    }

    package var descriptionKeys: ByteSliceList {
        unsafe ByteSliceList(
            message.pointee.description_keys, count: message.pointee.n_description_keys)
    }
}

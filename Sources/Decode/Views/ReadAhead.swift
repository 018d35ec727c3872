// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import COTLP
internal import CProtobufC

// An export is written by the core of its loop and read by that of a writer, each item once in one
// pass and once in the next, long after the memory has left the caches nearest to them: waiting for
// it was a fifth of the daemon's CPU. So what is behind the item at hand is fetched meanwhile.

/// How many items ahead: more than it takes to wait for memory, and no more than caches hold.
private enum ItemsAhead {
    /// Where little is done with each.
    static let ofName = 8
    static let ofNameBytes = 4
    /// Where each becomes a row.
    static let ofStruct = 3
    static let ofPointers = 2
    static let ofBytes = 1
}

/// Bytes of one item that are fetched at most; what is larger is not waited for at each line.
private let fetchedSizeBytesMax = 2_048

/// Fetches the attributes of an item, from `first` on, which is what lies before them.
private func fetchBytes(
    of attributes: UnsafePointer<ProtobufCBinaryData>?, count: Int,
    from first: UnsafeMutablePointer<UInt8>?
) {
    guard count > 0, let last = unsafe attributes?[count - 1], let end = unsafe last.data else {
        return
    }
    guard let start = unsafe first ?? attributes?[0].data else { return }
    let sizeBytes = unsafe end - start + last.len
    // Any order of fields is allowed: what is not in the usual one is not fetched.
    unsafe protobuf_c_prefetch(start, min(max(sizeBytes, 0), fetchedSizeBytesMax))
}

extension MessageList where Element == SpanView {
    /// Fetches names and kinds of spans behind `position`, for who reads only those of each.
    package func fetchNames(behind position: Int) {
        if position + ItemsAhead.ofName < count {
            let message = unsafe self[position + ItemsAhead.ofName].message
            unsafe protobuf_c_prefetch(
                UnsafeRawPointer(message) + MemoryLayout<Otlp__Span>.offset(of: \.name)!, 1)
        }
        if position + ItemsAhead.ofNameBytes < count {
            let name = self[position + ItemsAhead.ofNameBytes].name
            unsafe protobuf_c_prefetch(name.base, Swift.min(name.count, 64))
        }
    }

    /// Fetches the spans behind `position`, for who reads all of each.
    package func fetch(behind position: Int) {
        if position + ItemsAhead.ofStruct < count {
            let span = self[position + ItemsAhead.ofStruct]
            unsafe protobuf_c_prefetch(span.message, MemoryLayout<Otlp__Span>.size)
        }
        if position + ItemsAhead.ofPointers < count {
            let message = unsafe self[position + ItemsAhead.ofPointers].message
            unsafe protobuf_c_prefetch(
                message.pointee.attributes, message.pointee.n_attributes * 16)
        }
        if position + ItemsAhead.ofBytes < count {
            let message = unsafe self[position + ItemsAhead.ofBytes].message
            unsafe fetchBytes(
                of: message.pointee.attributes, count: message.pointee.n_attributes,
                from: message.pointee.trace_id.data)
        }
    }
}

extension MessageList where Element == LogRecordView {
    /// Fetches the records behind `position`, for who reads all of each.
    package func fetch(behind position: Int) {
        if position + ItemsAhead.ofStruct < count {
            let record = self[position + ItemsAhead.ofStruct]
            unsafe protobuf_c_prefetch(record.message, MemoryLayout<Otlp__LogRecord>.size)
        }
        if position + ItemsAhead.ofPointers < count {
            let message = unsafe self[position + ItemsAhead.ofPointers].message
            unsafe protobuf_c_prefetch(
                message.pointee.attributes, message.pointee.n_attributes * 16)
        }
        if position + ItemsAhead.ofBytes < count {
            let message = unsafe self[position + ItemsAhead.ofBytes].message
            unsafe fetchBytes(
                of: message.pointee.attributes, count: message.pointee.n_attributes,
                from: message.pointee.severity_text.data)
        }
    }
}

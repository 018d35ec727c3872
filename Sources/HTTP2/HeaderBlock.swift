// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CNghttp2

/// Header fields to be sent, in order.
///
/// Build constant blocks once and reuse them; nghttp2 copies on submission.
package struct HeaderBlock: Sendable {
    private var storage: [UInt8] = []
    private var ends: [(nameEnd: Int, valueEnd: Int)] = []
    /// Index of the first field of `appendSecret`; all behind it are secret as well.
    private var firstSecret = Int.max

    package init() {}

    package init(_ fields: [(name: String, value: String)]) {
        for field in fields { append(field.name, field.value) }
    }

    package var count: Int { ends.count }

    /// Adds a field. `name` is lower case (RFC 9113 §8.2.1); `value` holds visible ASCII and
    /// spaces.
    package mutating func append(_ name: String, _ value: String) {
        storage.append(contentsOf: name.utf8)
        let nameEnd = storage.count
        storage.append(contentsOf: value.utf8)
        ends.append((nameEnd, storage.count))
    }

    /// Adds a field that must not be kept in the tables of header compression, neither here nor by
    /// anybody on the way (RFC 7541, section 7.1.3). Only other secrets may follow.
    package mutating func appendSecret(_ name: String, _ value: String) {
        firstSecret = min(firstSecret, count)
        append(name, value)
    }

    /// Shows the block in nghttp2's form for the length of `body`.
    func withFields<R>(_ body: (UnsafePointer<nghttp2_nv>, Int) -> R) -> R {
        var storage = storage
        return unsafe storage.withUnsafeMutableBufferPointer { bytes in
            unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: ends.count) {
                fields in
                var start = 0
                for (index, end) in ends.enumerated() {
                    unsafe fields.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: bytes.baseAddress! + start,
                            value: bytes.baseAddress! + end.nameEnd,
                            namelen: end.nameEnd - start,
                            valuelen: end.valueEnd - end.nameEnd,
                            flags: UInt8(
                                index < firstSecret
                                    ? NGHTTP2_NV_FLAG_NONE.rawValue
                                    : NGHTTP2_NV_FLAG_NO_INDEX.rawValue)))
                    start = end.valueEnd
                }
                return unsafe body(UnsafePointer(fields.baseAddress!), ends.count)
            }
        }
    }
}

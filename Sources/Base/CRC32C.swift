// SPDX-License-Identifier: Apache-2.0

/// The checksum of RFC 3720 (Castagnoli), eight bytes at a time.
///
/// A value that grows: what is checked comes in pieces.
package struct CRC32C: Sendable {
    private var state: UInt32 = 0xffff_ffff

    package init() {}

    /// The checksum of all that was added.
    package var value: UInt32 { ~state }

    package static func of(_ bytes: ByteSlice) -> UInt32 {
        var checksum = CRC32C()
        checksum.add(bytes)
        return checksum.value
    }

    package mutating func add(_ bytes: ByteSlice) {
        var crc = state
        unsafe CRC32C.tables.withUnsafeBufferPointer { tables in
            var offset = 0
            while bytes.count - offset >= 8 {
                let word = bytes.littleEndianWord(at: offset) ^ UInt64(crc)
                crc = 0
                for index in 0..<8 {
                    let byte = Int(word >> (8 * UInt64(index)) & 0xff)
                    crc ^= unsafe tables[(7 - index) << 8 | byte]
                }
                offset += 8
            }
            while offset < bytes.count {
                crc = unsafe crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[offset])) & 0xff)]
                offset += 1
            }
        }
        state = crc
    }

    /// Table `n` is for a byte with `n` bytes behind it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 << 8)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            tables[byte] = crc
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xff)]
        }
        return tables
    }()
}

extension ByteSlice {
    fileprivate func littleEndianWord(at offset: Int) -> UInt64 {
        bigEndian(at: offset, as: UInt64.self).byteSwapped
    }
}

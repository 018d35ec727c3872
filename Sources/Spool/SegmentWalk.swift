// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Finds the records of a segment, also behind bytes that are damaged.
struct SegmentWalk {
    let file: SpoolFile
    /// Bytes that may be looked at.
    let limitBytes: Int

    /// A record whose header is sound and that lies inside, with the place of its header.
    struct Found {
        let record: SpoolRecord
        let offset: Int
        var bodyOffset: Int { offset + SpoolFormat.recordHeaderSizeBytes }
        var endOffset: Int { offset + record.sizeBytes }
    }

    /// The first record at or behind `offset`; nil when there is none. A sound file costs one read
    /// of the header, damaged bytes are searched one by one.
    func next(from offset: Int) throws(SpoolError) -> Found? {
        if let found = try record(at: offset) { return found }
        var buffer = [UInt8](repeating: 0, count: SegmentWalk.searchSizeBytes)
        var start = offset + 1
        while start + SpoolFormat.recordHeaderSizeBytes <= limitBytes {
            let count = try file.read(at: start, into: &buffer, count: buffer.count)
            guard count >= SpoolFormat.recordHeaderSizeBytes else { return nil }
            let steps = count - SpoolFormat.recordHeaderSizeBytes + 1
            for step in 0..<steps where buffer[step] == UInt8(SpoolFormat.recordMagic >> 24) {
                if let found = try record(at: start + step) { return found }
            }
            start += steps
        }
        return nil
    }

    private func record(at offset: Int) throws(SpoolError) -> Found? {
        guard offset + SpoolFormat.recordHeaderSizeBytes <= limitBytes else { return nil }
        var bytes = [UInt8](repeating: 0, count: SpoolFormat.recordHeaderSizeBytes)
        let count = try file.read(at: offset, into: &bytes, count: bytes.count)
        guard count == bytes.count,
            let record = unsafe bytes.withUnsafeBytes({ unsafe SpoolRecord(header: ByteSlice($0)) }
            ),
            record.sizeBytes <= limitBytes - offset
        else { return nil }
        return Found(record: record, offset: offset)
    }

    /// Whether the body is what was written; reads it piece by piece.
    func isBodySound(_ found: Found) throws(SpoolError) -> Bool {
        var checksum = CRC32C()
        var buffer = [UInt8](repeating: 0, count: SegmentWalk.searchSizeBytes)
        var offset = found.bodyOffset
        while offset < found.endOffset {
            let wanted = min(buffer.count, found.endOffset - offset)
            let count = try file.read(at: offset, into: &buffer, count: wanted)
            guard count == wanted else { return false }
            unsafe buffer.withUnsafeBytes { bytes in
                unsafe checksum.add(ByteSlice(UnsafeRawBufferPointer(rebasing: bytes[..<count])))
            }
            offset += count
        }
        return checksum.value == found.record.bodyChecksum
    }

    private static let searchSizeBytes = 64 << 10
}

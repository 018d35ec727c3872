// SPDX-License-Identifier: Apache-2.0
package import Base

/// Takes the body of a record, piece by piece.
package protocol SpoolSink: AnyObject {
    /// Copies `piece`.
    func add(_ piece: ByteSlice)
}

/// Appends records to one segment file, through a buffer of its own.
///
/// A record that fails half-way leaves bytes behind `sizeBytes`, which `cutUnfinished` removes.
/// Thread: whoever holds the spool's lock.
final class SegmentWriter: SpoolSink {
    private let file: SpoolFile
    private let disk: SpoolDisk
    /// Bytes of whole records, and the segment's header.
    private(set) var sizeBytes: Int
    /// Of these, what fdatasync has answered for.
    private(set) var durableSizeBytes = 0
    private var buffer: [UInt8] = []
    private var body = Body()

    /// Bytes that are written with one call.
    private static let bufferSizeBytes = 256 << 10

    init(_ file: SpoolFile, spoolID: SpoolID, disk: SpoolDisk) throws(SpoolError) {
        self.file = file
        self.disk = disk
        sizeBytes = 0
        buffer = SegmentHeader(spoolID: spoolID).bytes
        try flush(at: 0)
        sizeBytes = SpoolFormat.segmentHeaderSizeBytes
    }

    /// Writes `record` with the body that `fill` hands over in pieces.
    ///
    /// The header, with the checksum, is known last and is written last: until then there is no
    /// record at that place.
    func append(_ record: SpoolRecord, _ fill: (any SpoolSink) -> Void) throws(SpoolError) {
        let headerSizeBytes = SpoolFormat.recordHeaderSizeBytes
        body = Body()
        buffer.append(contentsOf: repeatElement(0, count: headerSizeBytes))
        fill(self)
        if let failure = body.failure { throw failure }
        precondition(body.sizeBytes == record.bodySizeBytes, "the body is not as announced")
        var sealed = record
        sealed.bodyChecksum = body.checksum.value
        let header = sealed.headerBytes
        if body.flushedBytes == 0 {
            buffer.replaceSubrange(..<headerSizeBytes, with: header)
        } else {
            try flush(at: sizeBytes + body.flushedBytes)
            buffer = header
        }
        try flush(at: sizeBytes)
        sizeBytes += record.sizeBytes
    }

    /// What is written of the record in hand.
    private struct Body {
        var checksum = CRC32C()
        var sizeBytes = 0
        var flushedBytes = 0
        var failure: SpoolError?
    }

    func sync() throws(SpoolError) {
        try file.sync(disk: disk)
        durableSizeBytes = sizeBytes
    }

    func cutUnfinished() throws(SpoolError) {
        try file.truncate(sizeBytes: sizeBytes)
    }

    /// As well as that can be done; what stays is cut off, or read as damage, on the next opening.
    func cutToDurable() {
        do throws(SpoolError) { try file.truncate(sizeBytes: durableSizeBytes) } catch {}
    }

    // MARK: SpoolSink

    package func add(_ piece: ByteSlice) {
        guard body.failure == nil else { return }
        body.checksum.add(piece)
        body.sizeBytes += piece.count
        unsafe buffer.append(contentsOf: piece.buffer)
        guard buffer.count >= SegmentWriter.bufferSizeBytes else { return }
        let writtenBytes = buffer.count
        do throws(SpoolError) {
            try flush(at: sizeBytes + body.flushedBytes)
        } catch { body.failure = error }
        body.flushedBytes += writtenBytes
    }

    /// Writes the buffer and empties it, whether or not that works.
    private func flush(at offset: Int) throws(SpoolError) {
        defer { buffer.removeAll(keepingCapacity: true) }
        try file.write(buffer, at: offset, disk: disk)
    }
}

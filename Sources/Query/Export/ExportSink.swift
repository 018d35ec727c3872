// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What an export has written, in its format; hands on what is as large as a chunk.
struct ExportSink: ~Copyable {
    let format: ExportFormat
    var json = JSONWriter()
    var csv = CSVWriter()
    private let stream: ChunkStream
    /// Nil where the stream is not packed.
    private let packer: GzipPacker?

    init(_ format: ExportFormat, _ packer: GzipPacker?, to stream: ChunkStream) {
        self.format = format
        self.packer = packer
        self.stream = stream
    }

    /// Writes the head, of formats that have one.
    mutating func begin(_ names: [String]) {
        if format == .csv { csv.names(names) }
    }

    /// Hands on what is as large as a chunk. Errors: `cancelled` where nobody wants it any more.
    mutating func flush() throws(QueryFailure) { try flush(from: ChunkStream.chunkSizeBytes) }

    /// Hands on the rest; nothing may be written any more.
    mutating func finish() throws(QueryFailure) {
        try flush(from: 1)
        guard let packer else { return }
        var end: [UInt8] = []
        packer.pack(.empty, .end, to: &end)
        try stream.put(end)
    }

    private mutating func flush(from sizeBytes: Int) throws(QueryFailure) {
        if json.bytes.count >= sizeBytes {
            try put(json.bytes)
            json.removeAll()
        }
        if csv.bytes.count >= sizeBytes {
            try put(csv.bytes)
            csv.removeAll()
        }
    }

    /// Adds `bytes` in chunks. Those that are packed can be unpacked as soon as they arrive:
    /// nothing waits for the next.
    private func put(_ bytes: [UInt8]) throws(QueryFailure) {
        guard packer != nil || bytes.count > 2 * ChunkStream.chunkSizeBytes else {
            return try stream.put(bytes)
        }
        var start = 0
        while start < bytes.count {
            let chunk = bytes[start..<min(start + ChunkStream.chunkSizeBytes, bytes.count)]
            start += chunk.count
            try stream.put(packer.map { $0.packed(chunk) } ?? Array(chunk))
        }
    }
}

extension GzipPacker {
    fileprivate func packed(_ chunk: ArraySlice<UInt8>) -> [UInt8] {
        var packed: [UInt8] = []
        unsafe chunk.withUnsafeBytes { pack(unsafe ByteSlice($0), .all, to: &packed) }
        return packed
    }
}

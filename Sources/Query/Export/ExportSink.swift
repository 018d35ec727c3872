// SPDX-License-Identifier: Apache-2.0

/// What an export has written, in its format; hands on what is as large as a chunk.
struct ExportSink: ~Copyable {
    let format: ExportFormat
    var json = JSONWriter()
    var csv = CSVWriter()
    private let stream: ChunkStream

    init(_ format: ExportFormat, to stream: ChunkStream) {
        self.format = format
        self.stream = stream
    }

    /// Writes the head, of formats that have one.
    mutating func begin(_ names: [String]) {
        if format == .csv { csv.names(names) }
    }

    /// Hands on what is at least `sizeBytes`. Errors: `cancelled` where nobody wants it any more.
    mutating func flush(
        from sizeBytes: Int = ChunkStream.chunkSizeBytes
    ) throws(QueryFailure) {
        if json.bytes.count >= sizeBytes {
            try stream.putAll(json.bytes)
            json.removeAll()
        }
        if csv.bytes.count >= sizeBytes {
            try stream.putAll(csv.bytes)
            csv.removeAll()
        }
    }
}

extension ChunkStream {
    /// Adds `bytes` in chunks.
    fileprivate func putAll(_ bytes: [UInt8]) throws(QueryFailure) {
        guard bytes.count > 2 * ChunkStream.chunkSizeBytes else { return try put(bytes) }
        var start = 0
        while start < bytes.count {
            let end = min(start + ChunkStream.chunkSizeBytes, bytes.count)
            try put(Array(bytes[start..<end]))
            start = end
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package import Base
package import Decode

/// What is known of an item that cannot be stored, beside its bytes.
package struct DeadLetter: Sendable {
    package var id: Int64 = 0
    package var signal: Signal
    /// Empty without one.
    package var tenant = ""
    package var serviceName: String?
    /// One word, for filters.
    package var reason: String
    package var sqlState: String?
    /// A sentence; without content of the item.
    package var message: String
    package var fingerprint: Fingerprint
    package var requestItemCount: Int
    package var itemOrdinal: Int
    package var receivedUnixNs: UInt64

    package init(
        signal: Signal, reason: String, message: String, fingerprint: Fingerprint,
        requestItemCount: Int, itemOrdinal: Int, receivedUnixNs: UInt64
    ) {
        self.signal = signal
        self.reason = reason
        self.message = message
        self.fingerprint = fingerprint
        self.requestItemCount = requestItemCount
        self.itemOrdinal = itemOrdinal
        self.receivedUnixNs = receivedUnixNs
    }

    /// Text of a client as a column takes it: valid UTF-8, no NUL, at most `sizeBytesMax` bytes.
    package static func text(_ bytes: ByteSlice, sizeBytesMax: Int = 200) -> String {
        let some = bytes.slice(offset: 0, count: min(bytes.count, sizeBytesMax))
        let replaced = some.string.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : $0 }
        var text = ""
        for scalar in replaced {
            // A replacement takes up to three times as much as what it stands for.
            guard text.utf8.count + UTF8.width(scalar) <= sizeBytesMax else { break }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}

/// Rows of `otel_dead_letters`, encoded for COPY.
///
/// Ownership: sole owner of its bytes, which are charged to the budget. Thread: confined to one.
package struct DeadLetterBuffer: ~Copyable {
    package static let table = "otel_dead_letters"
    /// Bytes after which a COPY is full.
    package static let sizeBytesMax = 1 << 20

    private static let columns = [
        "dead_letter_id", "signal", "tenant", "service_name", "reason", "sqlstate", "message",
        "request_fingerprint", "request_item_count", "item_ordinal", "received_at", "size_bytes",
        "request",
    ]
    package static let copyStatement =
        "COPY \(table) (\(columns.joined(separator: ", "))) FROM STDIN (FORMAT binary)"
    /// Signature, flags, length of the header extension.
    private static let headerSizeBytes = 19
    /// All fields but text and bytes, the trailer included.
    private static let fixedSizeBytes = 160

    private var buffer: CopyBuffer
    package private(set) var rowCount = 0

    package init(budget: MemoryBudget) { buffer = CopyBuffer(budget: budget) }

    /// The stream; after `seal`, valid until the next change.
    package var bytes: ByteSlice { buffer.bytes }

    package var isFull: Bool { buffer.count >= DeadLetterBuffer.sizeBytesMax }

    /// Adds a row with the request that `packer` has selected; false past the budget.
    package mutating func append(_ letter: DeadLetter, _ packer: borrowing SingleItemPacker) -> Bool
    {
        let requestSizeBytes = packer.sizeBytes
        let texts = [
            letter.signal.storedName, letter.tenant, letter.serviceName, letter.reason,
            letter.sqlState, letter.message,
        ]
        let textSizeBytes = texts.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
        guard
            buffer.reserve(
                DeadLetterBuffer.headerSizeBytes + DeadLetterBuffer.fixedSizeBytes + textSizeBytes
                    + requestSizeBytes)
        else { return false }
        if rowCount == 0 { putHeader() }
        buffer.putColumnCount(DeadLetterBuffer.columns.count)
        buffer.putField(letter.id)
        for text in texts { put(text) }
        buffer.putBigEndian(Int32(Fingerprint.sizeBytes))
        for byte in letter.fingerprint.bytes { buffer.put(byte) }
        buffer.putField(Int32(clamping: letter.requestItemCount))
        buffer.putField(Int32(clamping: letter.itemOrdinal))
        buffer.putField(DeadLetterBuffer.timestamp(unixNs: letter.receivedUnixNs))
        buffer.putField(Int32(requestSizeBytes))
        buffer.putBigEndian(Int32(requestSizeBytes))
        unsafe packer.pack(into: buffer.storage + buffer.count)
        buffer.count += requestSizeBytes
        rowCount += 1
        return true
    }

    /// Ends the stream; room for that was reserved with the last row.
    package mutating func seal() { buffer.putBigEndian(-1 as Int16) }

    package mutating func removeAll(keptSizeBytes: Int) {
        buffer.removeAll(keptSizeBytes: keptSizeBytes)
        rowCount = 0
    }

    private mutating func putHeader() {
        buffer.put("PGCOPY\n")
        buffer.put(0xff as UInt8)
        buffer.put("\r\n\0")
        buffer.putBigEndian(0 as Int32)
        buffer.putBigEndian(0 as Int32)
    }

    private mutating func put(_ text: String?) {
        guard let text else { return buffer.putNull() }
        buffer.putBigEndian(Int32(text.utf8.count))
        for byte in text.utf8 { buffer.put(byte) }
    }

    /// Microseconds since 2000-01-01, as timestamptz is stored.
    private static func timestamp(unixNs: UInt64) -> Int64 {
        Int64(unixNs / 1_000) - 946_684_800_000_000
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// How far a tail has come, for whoever goes on from there; opaque to them, and nothing is kept of
/// it here.
///
/// What was committed by `since` is behind. Of what was committed between that and `upTo`, so is
/// what stands no later than `key`, in the order of time.
struct TailCursor: Sendable, Equatable {
    /// Within what was found in one look.
    struct Place: Sendable, Equatable {
        let upTo: TransactionSnapshot
        let key: [Int64]
    }

    let since: TransactionSnapshot
    /// When that was, by the clock of the database.
    let sinceUnixNs: Int64
    var place: Place?

    private static let version: UInt8 = 0x11
    static let textSizeBytesMax = 8 << 10
    private static let keyCountMax = 8

    init(since: TransactionSnapshot, sinceUnixNs: Int64, place: Place? = nil) {
        self.since = since
        self.sinceUnixNs = sinceUnixNs
        self.place = place
    }

    /// Reads what `text(of:)` gave. Errors: `invalidParameter` where it is none, `cursorMismatch`
    /// where it is of another question, or its key has not `keyCount` parts.
    init(
        _ text: String, of fingerprint: Cursor.Fingerprint, keyCount: Int
    ) throws(QueryFailure) {
        guard var reader = CursorReader(text), reader.byte() == TailCursor.version,
            let checksum = reader.number(), let sizeBytes = reader.number(),
            let sinceUnixNs = reader.number(), let since = reader.snapshot(),
            let place = reader.place(keyCountMax: TailCursor.keyCountMax), reader.isAtEnd
        else {
            throw QueryFailure(
                .invalidParameter,
                "this is no cursor of a tail: give the last one that it sent, as it is",
                pointer: "cursor")
        }
        let found = Cursor.Fingerprint(
            checksum: UInt32(truncatingIfNeeded: checksum),
            sizeBytes: UInt32(truncatingIfNeeded: sizeBytes))
        guard found == fingerprint, place.map({ $0.key.count == keyCount }) ?? true else {
            throw QueryFailure(
                .cursorMismatch,
                "the cursor is of another tail: ask for the same, or begin without a cursor",
                pointer: "cursor")
        }
        self.init(
            since: since, sinceUnixNs: Int64(bitPattern: sinceUnixNs), place: place)
    }

    /// For a URL: base64url without padding (RFC 4648, section 5).
    func text(of fingerprint: Cursor.Fingerprint) -> String {
        var writer = CursorWriter(TailCursor.version)
        writer.append(UInt64(fingerprint.checksum))
        writer.append(UInt64(fingerprint.sizeBytes))
        writer.append(UInt64(bitPattern: sinceUnixNs))
        writer.append(since)
        if let place {
            writer.append(UInt64(place.key.count + 1))
            writer.append(place.upTo)
            for part in place.key { writer.append(UInt64(bitPattern: part)) }
        } else {
            writer.append(0)
        }
        return writer.text
    }
}

/// Numbers in as many bytes as they need, seven bits in each, the least significant first.
private struct CursorWriter {
    private var bytes: [UInt8]

    init(_ version: UInt8) { bytes = [version] }

    mutating func append(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func append(_ snapshot: TransactionSnapshot) {
        append(snapshot.oldest)
        append(snapshot.next - snapshot.oldest)
        append(UInt64(snapshot.underWay.count))
        for number in snapshot.underWay { append(number - snapshot.oldest) }
    }

    var text: String {
        String(Base64.unpadded(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}

private struct CursorReader {
    private var rest: ArraySlice<UInt8>

    init?(_ text: String) {
        guard text.utf8.count <= TailCursor.textSizeBytesMax else { return nil }
        var bytes = Array(text.utf8)
        guard
            let count = unsafe bytes.withUnsafeMutableBytes({ unsafe TextDigits.decodeBase64($0) })
        else { return nil }
        rest = bytes[..<count]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt64? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst(), shift < 63 || byte < 2 else { return nil }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        return nil
    }

    mutating func snapshot() -> TransactionSnapshot? {
        guard let oldest = number(), let width = number(), let count = number(),
            count <= TransactionSnapshot.underWayCountMax
        else { return nil }
        var underWay: [UInt64] = []
        for _ in 0..<count {
            guard let distance = number() else { return nil }
            underWay.append(oldest &+ distance)
        }
        let snapshot = TransactionSnapshot(
            oldest: oldest, next: oldest &+ width, underWay: underWay)
        return snapshot.isWellFormed ? snapshot : nil
    }

    /// Nil where there is none that could be; a nil within where there is none at all.
    mutating func place(keyCountMax: Int) -> TailCursor.Place?? {
        guard let mark = number(), mark <= keyCountMax + 1 else { return nil }
        guard mark > 0 else { return .some(nil) }
        guard let upTo = snapshot() else { return nil }
        var key: [Int64] = []
        for _ in 1..<mark {
            guard let part = number() else { return nil }
            key.append(Int64(bitPattern: part))
        }
        return TailCursor.Place(upTo: upTo, key: key)
    }
}

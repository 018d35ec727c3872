// SPDX-License-Identifier: Apache-2.0
package import Base

/// What stands in the files of a spool; docs/spool.md has it in words. All numbers are big-endian.
package enum SpoolFormat {
    package static let version: UInt32 = 1
    /// `STARSPOL`
    static let segmentMagic: UInt64 = 0x5354_4152_5350_4f4c
    /// `SREC`
    static let recordMagic: UInt32 = 0x5352_4543
    /// `STARCURS`
    static let cursorMagic: UInt64 = 0x5354_4152_4355_5253
    package static let segmentHeaderSizeBytes = 32
    package static let recordHeaderSizeBytes = 56
    static let cursorSizeBytes = 40
    /// A longer body is not one: the length itself is damaged.
    static let bodySizeBytesMax = Int(Int32.max)
    /// Likewise of the number of a record: no spool reaches this one, and counts of records stay
    /// far from where they overflow.
    static let numberMax: UInt64 = 1 << 62
}

/// What names one spool for good, so that the database can tell whose records are committed.
package struct SpoolID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    static func random() -> SpoolID {
        SpoolID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    /// As 16 bytes. Allocates.
    package var bytes: [UInt8] {
        BigEndian.bytes {
            $0.append(high)
            $0.append(low)
        }
    }
}

/// One record as it is known without its body.
package struct SpoolRecord: Sendable, Equatable {
    /// Counts from 1 through the whole life of the spool; never used twice.
    package var number: UInt64
    package var signal: Signal
    package var fingerprint: Fingerprint
    package var arrivalUnixNs: UInt64
    package var itemCount: Int
    package var bodySizeBytes: Int
    var bodyChecksum: UInt32

    package init(
        number: UInt64 = 0, signal: Signal, fingerprint: Fingerprint, arrivalUnixNs: UInt64,
        itemCount: Int, bodySizeBytes: Int
    ) {
        self.number = number
        self.signal = signal
        self.fingerprint = fingerprint
        self.arrivalUnixNs = arrivalUnixNs
        self.itemCount = itemCount
        self.bodySizeBytes = bodySizeBytes
        bodyChecksum = 0
    }

    /// Header and body on disk.
    var sizeBytes: Int { SpoolFormat.recordHeaderSizeBytes + bodySizeBytes }

    /// The header: magic, checksum of what follows, and what follows.
    var headerBytes: [UInt8] {
        let content = BigEndian.bytes {
            $0.append(bodyChecksum)
            $0.append(UInt32(bodySizeBytes))
            $0.append(number)
            $0.append(arrivalUnixNs)
            $0 += fingerprint.bytes
            $0.append(UInt32(itemCount))
            $0.append(UInt32(signal.rawValue) << 24)
        }
        let checksum = unsafe content.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
        return BigEndian.bytes {
            $0.append(SpoolFormat.recordMagic)
            $0.append(checksum)
            $0 += content
        }
    }

    /// Reads a header; nil when it is none, or damaged.
    init?(header bytes: ByteSlice) {
        guard bytes.count >= SpoolFormat.recordHeaderSizeBytes,
            bytes.bigEndian(at: 0, as: UInt32.self) == SpoolFormat.recordMagic
        else { return nil }
        let content = bytes.slice(offset: 8, count: SpoolFormat.recordHeaderSizeBytes - 8)
        guard bytes.bigEndian(at: 4, as: UInt32.self) == CRC32C.of(content),
            let signal = Signal(rawValue: content[44]),
            let fingerprint = Fingerprint(content.slice(offset: 24, count: Fingerprint.sizeBytes))
        else { return nil }
        bodyChecksum = content.bigEndian(at: 0, as: UInt32.self)
        bodySizeBytes = Int(content.bigEndian(at: 4, as: UInt32.self))
        number = content.bigEndian(at: 8, as: UInt64.self)
        arrivalUnixNs = content.bigEndian(at: 16, as: UInt64.self)
        itemCount = Int(content.bigEndian(at: 40, as: UInt32.self))
        self.signal = signal
        self.fingerprint = fingerprint
        guard bodySizeBytes <= SpoolFormat.bodySizeBytesMax, number <= SpoolFormat.numberMax else {
            return nil
        }
    }
}

/// The first bytes of a segment.
struct SegmentHeader: Equatable {
    let version: UInt32
    let spoolID: SpoolID

    var bytes: [UInt8] {
        BigEndian.checked(magic: SpoolFormat.segmentMagic) {
            $0.append(version)
            $0.append(spoolID.high)
            $0.append(spoolID.low)
        }
    }

    init(spoolID: SpoolID) {
        version = SpoolFormat.version
        self.spoolID = spoolID
    }

    /// Nil for what is no header, or a damaged one.
    init?(_ bytes: ByteSlice) {
        guard bytes.count >= SpoolFormat.segmentHeaderSizeBytes,
            let content = BigEndian.content(
                of: bytes.slice(offset: 0, count: SpoolFormat.segmentHeaderSizeBytes),
                magic: SpoolFormat.segmentMagic)
        else { return nil }
        version = content.bigEndian(at: 0, as: UInt32.self)
        spoolID = SpoolID(
            high: content.bigEndian(at: 4, as: UInt64.self),
            low: content.bigEndian(at: 12, as: UInt64.self))
    }
}

/// Where replay has got to: the content of the file `cursor`.
struct Cursor: Equatable {
    var spoolID: SpoolID
    /// Of the first record that may not be settled.
    var number: UInt64

    var bytes: [UInt8] {
        BigEndian.checked(magic: SpoolFormat.cursorMagic) {
            $0.append(SpoolFormat.version)
            $0.append(spoolID.high)
            $0.append(spoolID.low)
            $0.append(number)
        }
    }

    init(spoolID: SpoolID, number: UInt64) {
        self.spoolID = spoolID
        self.number = number
    }

    init?(_ bytes: ByteSlice) {
        guard bytes.count == SpoolFormat.cursorSizeBytes,
            let content = BigEndian.content(of: bytes, magic: SpoolFormat.cursorMagic)
        else { return nil }
        spoolID = SpoolID(
            high: content.bigEndian(at: 4, as: UInt64.self),
            low: content.bigEndian(at: 12, as: UInt64.self))
        number = content.bigEndian(at: 20, as: UInt64.self)
        // One more than the last record's, at most.
        guard number <= SpoolFormat.numberMax + 1 else { return nil }
    }
}

/// Helps with small runs of big-endian numbers.
enum BigEndian {
    static func bytes(_ fill: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        fill(&bytes)
        return bytes
    }

    /// Magic, checksum of the content, content.
    static func checked(magic: UInt64, _ fill: (inout [UInt8]) -> Void) -> [UInt8] {
        let content = bytes(fill)
        let checksum = unsafe content.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
        return bytes {
            $0.append(magic)
            $0.append(checksum)
            $0 += content
        }
    }

    /// The inverse; nil where magic or checksum is another.
    static func content(of bytes: ByteSlice, magic: UInt64) -> ByteSlice? {
        let content = bytes.slice(offset: 12, count: bytes.count - 12)
        guard bytes.bigEndian(at: 0, as: UInt64.self) == magic,
            bytes.bigEndian(at: 8, as: UInt32.self) == CRC32C.of(content)
        else { return nil }
        return content
    }
}

extension [UInt8] {
    mutating func append<T: FixedWidthInteger>(_ value: T) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux

@testable import Spool

/// Input: a byte of circumstances, then a cursor, and one or two segments.
///
/// A spool with such files is opened or refused; each record that is read stands in a segment, with
/// a body whose checksum is right; numbers rise; and reading ends. Afterwards it can be written to.
func checkSpool(_ input: ByteSlice) throws {
    var files = SpoolFiles(input)
    do throws(SpoolError) {
        try files.write()
        let highest = try files.readAll()
        try files.readAgain(after: highest)
    } catch {
        if case .system = error { throw Broken(description: "\(error)") }
    }
    if let broken = files.broken { throw Broken(description: broken) }
}

/// What an input puts into the folder, and what becomes of it.
private struct SpoolFiles {
    private let segments: [(number: UInt64, bytes: [UInt8])]
    private let cursor: [UInt8]?
    private let path: String
    /// The first thing that did not hold.
    private(set) var broken: String?

    private static let firstNumbers: [UInt64] = [
        1, 7, SpoolFormat.numberMax - 2, .max - 2,
    ]

    init(_ input: ByteSlice) {
        let root = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        path = "\(root)/starling-fuzz-\(getpid())"
        var reader = InputReader(input)
        let flags = reader.byte()
        let seals = Seals(headers: flags & 1 != 0, bodies: flags & 2 != 0)
        let firstNumber = SpoolFiles.firstNumbers[Int(flags >> 4 & 3)]
        cursor = flags & 8 == 0 ? nil : seals.sealed(cursor: reader.take(40).array)
        var segments: [(UInt64, [UInt8])] = []
        if flags & 4 != 0 {
            let sizeBytes = Int(reader.byte()) << 8 | Int(reader.byte())
            segments.append((firstNumber, seals.sealed(segment: reader.take(sizeBytes).array)))
        }
        let lastNumber = segments.isEmpty ? firstNumber : firstNumber + 2
        segments.append((lastNumber, seals.sealed(segment: reader.rest.array)))
        self.segments = segments
    }

    private mutating func hold(_ condition: Bool, _ sentence: @autoclosure () -> String) {
        if !condition, broken == nil { broken = sentence() }
    }

    /// Makes the folder anew.
    func write() throws(SpoolError) {
        let folder = try SpoolFolder(path)
        for name in try folder.names() where name != "." && name != ".." {
            try folder.remove(name)
        }
        for (number, bytes) in segments {
            let segment = Segment(
                firstNumber: number, nextNumber: number, firstArrivalUnixNs: 0)
            try write(bytes, segment.name, folder)
        }
        if let cursor { try write(cursor, SpoolOpening.cursorName, folder) }
    }

    private func write(
        _ bytes: [UInt8], _ name: String, _ folder: SpoolFolder
    ) throws(SpoolError) {
        let file = try folder.open(name, flags: O_WRONLY | O_CREAT | O_TRUNC)
        try file.write(bytes, at: 0, disk: .real)
    }

    private func open() throws(SpoolError) -> Spool {
        try Spool(SpoolSettings(path: path, sizeBytesMax: 1 << 20, segmentSizeBytes: 1 << 12))
    }

    /// Reads and settles everything; returns the highest number seen.
    mutating func readAll() throws(SpoolError) -> UInt64 {
        let spool = try open()
        var highest: UInt64 = 0
        let reader = SpoolReader(spool)
        var body = OwnedBytes(budget: MemoryBudget(limitBytes: 1 << 20))
        let stepCountMax = segments.reduce(16) { $0 + $1.bytes.count }
        for step in 0... {
            guard step < stepCountMax else {
                hold(false, "reading does not end")
                break
            }
            let found = try reader.next(into: &body, isWanted: { _ in true })
            if case .record(let record) = found {
                hold(record.number > highest, "\(record.number) comes after \(highest)")
                highest = max(highest, record.number)
                hold(stands(record, body.slice), "record \(record.number) stands nowhere")
            } else if case .damage(let damage) = found {
                hold(damage.recordCount > 0, "damage without a record")
            } else {
                break
            }
        }
        _ = spool.status
        try spool.settle(before: reader.position, isFinal: true)
        return highest
    }

    /// Whether a segment has that header with that body behind it, and both are sound.
    private func stands(_ record: SpoolRecord, _ body: ByteSlice) -> Bool {
        guard CRC32C.of(body) == record.bodyChecksum else { return false }
        return segments.contains { segment in
            withSlice(segment.bytes) { bytes in
                let lastOffset = bytes.count - record.sizeBytes
                guard lastOffset >= 0 else { return false }
                return (0...lastOffset).contains { offset in
                    let whole = bytes.slice(offset: offset, count: record.sizeBytes)
                    guard SpoolRecord(header: whole) == record else { return false }
                    let headerBytes = SpoolFormat.recordHeaderSizeBytes
                    return whole.slice(offset: headerBytes, count: body.count)
                        .elementsEqual(body)
                }
            }
        }
    }

    /// What was settled does not come back, and what is written now does.
    mutating func readAgain(after highest: UInt64) throws(SpoolError) {
        let spool = try open()
        hold(spool.isEmpty, "settled records come back")
        let content: [UInt8] = [1, 2, 3]
        let appended = spool.append(count: 1) { _ in
            SpoolRecord(
                signal: .logs, fingerprint: Fingerprint(high: 1, low: 2), arrivalUnixNs: 3,
                itemCount: 4, bodySizeBytes: content.count)
        } body: { _, sink in
            withSlice(content) { sink.add($0) }
        }
        if let error = appended.error { throw error }
        var body = OwnedBytes(budget: MemoryBudget(limitBytes: 1 << 20))
        let found = try SpoolReader(spool).next(into: &body, isWanted: { _ in true })
        guard case .record(let record) = found else {
            return hold(false, "what was appended is not there: \(found)")
        }
        hold(record.number > highest, "number \(record.number) is used twice")
        hold(body.slice.array == content, "another body comes back")
    }
}

/// Makes checksums right, so that what lies behind them is reached.
private struct Seals {
    let headers: Bool
    let bodies: Bool

    func sealed(cursor bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        if headers, bytes.count == SpoolFormat.cursorSizeBytes { seal(&bytes, 12..<bytes.count, 8) }
        return bytes
    }

    func sealed(segment bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        guard headers, bytes.count >= SpoolFormat.segmentHeaderSizeBytes else { return bytes }
        seal(&bytes, 12..<SpoolFormat.segmentHeaderSizeBytes, 8)
        var offset = SpoolFormat.segmentHeaderSizeBytes
        while offset + SpoolFormat.recordHeaderSizeBytes <= bytes.count {
            guard bytes[offset..<offset + 4].elementsEqual(Array("SREC".utf8)) else {
                offset += 1
                continue
            }
            let bodyOffset = offset + SpoolFormat.recordHeaderSizeBytes
            let sizeBytes = bytes[offset + 12..<offset + 16].reduce(0) { $0 << 8 | Int($1) }
            if bodies, sizeBytes <= bytes.count - bodyOffset {
                seal(&bytes, bodyOffset..<bodyOffset + sizeBytes, offset + 8)
            }
            seal(&bytes, offset + 8..<bodyOffset, offset + 4)
            offset = bodyOffset
        }
        return bytes
    }

    private func seal(_ bytes: inout [UInt8], _ range: Range<Int>, _ checksumOffset: Int) {
        let checksum = withSlice(Array(bytes[range])) { CRC32C.of($0) }
        for index in 0..<4 {
            bytes[checksumOffset + index] = UInt8(truncatingIfNeeded: checksum >> (24 - 8 * index))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// What an operator decides about a spool.
package struct SpoolSettings: Sendable {
    /// `spool.directory`.
    package var path: String
    /// `spool.bytes_max`: all segments together.
    package var sizeBytesMax: Int
    /// `spool.segment_bytes`: after which no further record joins a segment.
    package var segmentSizeBytes: Int
    package var disk = SpoolDisk.real

    package init(path: String, sizeBytesMax: Int, segmentSizeBytes: Int) {
        precondition(sizeBytesMax > 0 && segmentSizeBytes > 0)
        self.path = path
        self.sizeBytesMax = sizeBytesMax
        self.segmentSizeBytes = segmentSizeBytes
    }
}

/// What a spool holds, and how it is, at one moment.
package struct SpoolStatus: Sendable, Equatable {
    package var sizeBytes = 0
    package var sizeBytesMax = 0
    /// Records that are not settled; damaged ones count until they are met.
    package var recordCount = 0
    /// When the oldest of them arrived, or a little earlier; nil when there is none.
    package var oldestUnixNs: UInt64?
    /// Segments that were set aside for a person.
    package var damagedFileCount = 0
    /// Why the last attempt to append failed; nil after one that worked.
    package var lastError: SpoolError?
}

/// Exports on disk: appended when the database cannot take them, read in order when it can again.
///
/// A record is on disk for good once `append` has returned; it is gone once `settle` has gone past
/// it. A process that is killed at any point leaves a spool that can be opened.
/// Thread: any for `append` and `status`; one reads and settles.
package final class Spool: @unchecked Sendable {
    package let id: SpoolID
    /// Bytes behind the last sound record that were cut off on opening.
    package let tornSizeBytes: Int
    /// Records between the cursor and the oldest segment: a segment of theirs is missing.
    package let missingRecordCount: Int
    /// Of the first record that is appended in this life. Above it nothing was on disk at the
    /// opening.
    package let openingNumber: UInt64
    let folder: SpoolFolder
    private let settings: SpoolSettings
    private let monitor = Monitor()
    // Protected by `monitor`.
    private var segments: [Segment]
    private var writer: SegmentWriter?
    private var nextNumber: UInt64
    private var cursorNumber: UInt64
    private var writtenCursorNumber: UInt64
    private var writtenCursorNs: UInt64 = 0
    private var oldestUnixNs: UInt64?
    private var damagedNames: [String]
    private var lastError: SpoolError?
    private var retryAtNs: UInt64 = 0

    /// How long a disk that failed is left alone.
    private static let retryNs: UInt64 = 1_000_000_000
    private static let cursorPeriodNs: UInt64 = 1_000_000_000
    /// Damaged segments that are kept for a person.
    package static let damagedFileCountMax = 4

    /// Opens the spool in `settings.path`, making it if there is none, and cuts off what a crash
    /// left half written. Reads the newest segment, and no other.
    package init(_ settings: SpoolSettings) throws(SpoolError) {
        self.settings = settings
        folder = try SpoolFolder(settings.path)
        let found = try SpoolOpening(folder)
        id = found.cursor.spoolID
        tornSizeBytes = found.tornSizeBytes
        missingRecordCount = found.missingRecordCount
        openingNumber = found.nextNumber
        segments = found.segments
        nextNumber = found.nextNumber
        cursorNumber = found.cursor.number
        writtenCursorNumber = found.cursor.number
        damagedNames = found.damagedNames
        oldestUnixNs = found.segments.first?.firstArrivalUnixNs
    }

    package var status: SpoolStatus {
        monitor.withLock {
            let recordCount = nextNumber - cursorNumber
            return SpoolStatus(
                sizeBytes: sizeBytes, sizeBytesMax: settings.sizeBytesMax,
                recordCount: Int(recordCount), oldestUnixNs: recordCount > 0 ? oldestUnixNs : nil,
                damagedFileCount: damagedNames.count, lastError: lastError)
        }
    }

    /// Whether an append has a chance: the last one worked, or what was in its way may be gone.
    package var isReady: Bool {
        monitor.withLock {
            switch lastError {
            case nil: true
            case .full: sizeBytes < settings.sizeBytesMax / 8 * 7
            default: Clock.monotonicNs >= retryAtNs
            }
        }
    }

    /// Whether every record is settled.
    package var isEmpty: Bool { monitor.withLock { cursorNumber == nextNumber } }

    /// The number below which no record can ever be read again, whatever happens to the cursor.
    package var forgottenNumber: UInt64 {
        monitor.withLock { segments.first?.firstNumber ?? writtenCursorNumber }
    }

    private var sizeBytes: Int { segments.reduce(0) { $0 + $1.sizeBytes } }

    // MARK: Appending

    /// Appends `count` records in order, and makes them last with one fdatasync per segment.
    ///
    /// `record` says what is known of each, `body` hands its bytes over, as many as the record
    /// says. Returns how many of them, from the first on, are on disk for good, and what kept the
    /// rest off it.
    package func append(
        count: Int, record: (Int) -> SpoolRecord, body: (Int, any SpoolSink) -> Void
    ) -> (count: Int, sizeBytes: Int, error: SpoolError?) {
        monitor.lock()
        defer { monitor.unlock() }
        if let lastError, Clock.monotonicNs < retryAtNs { return (0, 0, lastError) }
        var turn = Turn()
        do throws(SpoolError) {
            for index in 0..<count {
                try appendOne(record(index), &turn) { sink in body(index, sink) }
            }
            try sync(&turn)
            lastError = nil
        } catch {
            fail(error, &turn)
        }
        return (turn.durableCount, turn.durableSizeBytes, lastError)
    }

    /// What one call of `append` has written.
    private struct Turn {
        var writtenCount = 0
        var writtenSizeBytes = 0
        var durableCount = 0
        var durableSizeBytes = 0
    }

    private func appendOne(
        _ record: SpoolRecord, _ turn: inout Turn, _ body: (any SpoolSink) -> Void
    ) throws(SpoolError) {
        let pendingSizeBytes = writer.map { $0.sizeBytes - $0.durableSizeBytes } ?? 0
        let extraBytes = record.sizeBytes + SpoolFormat.segmentHeaderSizeBytes
        guard sizeBytes + pendingSizeBytes + extraBytes <= settings.sizeBytesMax,
            nextNumber <= SpoolFormat.numberMax
        else { throw .full }
        if let writer, writer.sizeBytes >= settings.segmentSizeBytes {
            try sync(&turn)
            self.writer = nil
        }
        let writer: SegmentWriter
        if let current = self.writer { writer = current } else { writer = try makeSegment(record) }
        var numbered = record
        numbered.number = nextNumber
        try writer.append(numbered, body)
        nextNumber += 1
        turn.writtenCount += 1
        turn.writtenSizeBytes += record.sizeBytes
    }

    private func makeSegment(_ first: SpoolRecord) throws(SpoolError) -> SegmentWriter {
        let segment = Segment(
            firstNumber: nextNumber, nextNumber: nextNumber,
            firstArrivalUnixNs: first.arrivalUnixNs)
        // Numbers are never used twice: without any segment, only the cursor remembers them.
        if segments.isEmpty { try writeCursor() }
        let made = try SegmentWriter(
            folder.open(segment.name, flags: O_RDWR | O_CREAT | O_TRUNC), spoolID: id,
            disk: settings.disk)
        try folder.sync()
        segments.append(segment)
        if cursorNumber == nextNumber { oldestUnixNs = first.arrivalUnixNs }
        writer = made
        return made
    }

    /// Makes what was written last, and shows it to the reader.
    private func sync(_ turn: inout Turn) throws(SpoolError) {
        guard let writer, writer.durableSizeBytes < writer.sizeBytes else { return }
        try writer.sync()
        segments[segments.count - 1].sizeBytes = writer.sizeBytes
        segments[segments.count - 1].nextNumber = nextNumber
        turn.durableCount = turn.writtenCount
        turn.durableSizeBytes = turn.writtenSizeBytes
    }

    /// Keeps what was whole before `error`, if that can be made to last.
    private func fail(_ error: SpoolError, _ turn: inout Turn) {
        lastError = error
        if error != .full { retryAtNs = Clock.monotonicNs + Spool.retryNs }
        guard let writer else { return }
        do throws(SpoolError) {
            try writer.cutUnfinished()
            try sync(&turn)
        } catch {
            // After a failed fdatasync nobody knows what is on disk: none of this turn was
            // promised, and the segment takes no more.
            nextNumber = segments[segments.count - 1].nextNumber
            writer.cutToDurable()
            self.writer = nil
            retryAtNs = Clock.monotonicNs + Spool.retryNs
            if writer.durableSizeBytes == 0 { dropLastSegment() }
        }
    }

    /// A segment without any durable record: nothing can be read from it.
    private func dropLastSegment() {
        let segment = segments.removeLast()
        do throws(SpoolError) { try folder.remove(segment.name) } catch { lastError = error }
    }

    // MARK: Reading

    /// The segment that holds, or would hold, records from `number` on; nil when there is none yet.
    func segment(holding number: UInt64) -> Segment? {
        monitor.withLock {
            segments.first { $0.nextNumber > number } ?? segments.last
        }
    }

    /// The segment after the one that begins with `firstNumber`.
    func segment(after firstNumber: UInt64) -> Segment? {
        monitor.withLock { segments.first { $0.firstNumber > firstNumber } }
    }

    func segment(startingAt firstNumber: UInt64) -> Segment? {
        monitor.withLock { segments.first { $0.firstNumber == firstNumber } }
    }

    /// Of the first record that is not settled.
    package var cursor: UInt64 { monitor.withLock { cursorNumber } }

    /// Says that a sound record cannot be used: its segment is kept for a person.
    package func lose(_ record: SpoolRecord) -> SpoolDamage {
        let segment = segment(holding: record.number)
        if let segment { markDamaged(segment.firstNumber) }
        return SpoolDamage(
            path: folder.path + "/" + (segment?.name ?? ""), sizeBytes: record.sizeBytes,
            recordCount: 1)
    }

    /// Keeps the segment for a person once it is read.
    func markDamaged(_ firstNumber: UInt64) {
        monitor.withLock {
            guard let index = segments.firstIndex(where: { $0.firstNumber == firstNumber }) else {
                return
            }
            segments[index].isDamaged = true
        }
    }

    /// Says that all records below `number` are settled: their segments go.
    ///
    /// `oldestUnixNs` is when the record with that number arrived, where it is known. The cursor
    /// on disk, and the newest segment, follow with a call after a second, and at once with
    /// `isFinal`.
    package func settle(
        before number: UInt64, oldestUnixNs: UInt64? = nil, isFinal: Bool = false
    ) throws(SpoolError) {
        monitor.lock()
        defer { monitor.unlock() }
        precondition(number >= cursorNumber && number <= nextNumber)
        cursorNumber = number
        if let oldestUnixNs { self.oldestUnixNs = oldestUnixNs }
        // The newest segment goes when it is not likely to be written to again at once.
        let isDue = Clock.monotonicNs >= writtenCursorNs + Spool.cursorPeriodNs
        let isAllGone = number == nextNumber && (isDue || isFinal)
        if isAllGone { writer = nil }
        let goneCount = segments.prefix { segment in
            segment.nextNumber <= number && (isAllGone || segment != segments.last)
        }.count
        if goneCount > 0 || isDue || isFinal { try writeCursor() }
        for _ in 0..<goneCount {
            try setAside(segments[0])
            segments.removeFirst()
        }
        if oldestUnixNs == nil, let first = segments.first {
            self.oldestUnixNs = max(self.oldestUnixNs ?? 0, first.firstArrivalUnixNs)
        }
    }

    private func setAside(_ segment: Segment) throws(SpoolError) {
        guard segment.isDamaged else { return try folder.remove(segment.name) }
        while damagedNames.count >= Spool.damagedFileCountMax {
            try folder.remove(damagedNames.removeFirst())
        }
        let name = segment.name + SpoolOpening.damagedSuffix
        try folder.rename(segment.name, to: name)
        damagedNames.append(name)
    }

    private func writeCursor() throws(SpoolError) {
        guard writtenCursorNumber != cursorNumber else { return }
        try folder.replace(
            SpoolOpening.cursorName, with: Cursor(spoolID: id, number: cursorNumber).bytes)
        writtenCursorNumber = cursorNumber
        writtenCursorNs = Clock.monotonicNs
    }
}

/// One file of records.
struct Segment: Sendable, Equatable {
    let firstNumber: UInt64
    /// One above the last record in it.
    var nextNumber: UInt64
    /// Bytes that are on disk for good.
    var sizeBytes = 0
    var firstArrivalUnixNs: UInt64
    var isDamaged = false

    init(firstNumber: UInt64, nextNumber: UInt64, firstArrivalUnixNs: UInt64) {
        self.firstNumber = firstNumber
        self.nextNumber = nextNumber
        self.firstArrivalUnixNs = firstArrivalUnixNs
    }

    static let suffix = ".spool"

    var name: String { Segment.name(firstNumber: firstNumber) }

    /// Twenty digits, so that names sort as numbers do.
    static func name(firstNumber: UInt64) -> String {
        let digits = String(firstNumber)
        return String(repeating: "0", count: 20 - digits.count) + digits + Segment.suffix
    }
}

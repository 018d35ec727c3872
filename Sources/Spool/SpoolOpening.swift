// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// What is found in a spool's folder when it is opened, with what a crash left half done put right.
struct SpoolOpening {
    var cursor: Cursor
    var segments: [Segment] = []
    var nextNumber: UInt64 = 1
    var damagedNames: [String] = []
    var tornSizeBytes = 0
    var missingRecordCount = 0

    static let cursorName = "cursor"
    static let damagedSuffix = ".damaged"

    init(_ folder: SpoolFolder) throws(SpoolError) {
        let stored = try SpoolOpening.readCursor(folder)
        cursor = stored ?? Cursor(spoolID: .random(), number: 1)
        let names = try folder.names()
        damagedNames = names.filter { $0.hasSuffix(SpoolOpening.damagedSuffix) }
        let numbers = names.compactMap(SpoolOpening.firstNumber).sorted()
        var spoolID = stored?.spoolID
        for (index, number) in numbers.enumerated() {
            var segment = Segment(firstNumber: number, nextNumber: number, firstArrivalUnixNs: 0)
            let file = try folder.open(segment.name, flags: O_RDWR)
            segment.sizeBytes = try file.sizeBytes()
            if let header = try SpoolOpening.header(of: file) {
                if let spoolID, spoolID != header.spoolID { throw .notOurs(path: file.path) }
                spoolID = header.spoolID
            } else {
                segment.isDamaged = true
            }
            if index == numbers.count - 1 {
                try cutTornTail(&segment, file)
            } else {
                segment.nextNumber = numbers[index + 1]
            }
            guard segment.nextNumber > number else {
                try folder.remove(segment.name)
                continue
            }
            let walk = SegmentWalk(file: file, limitBytes: segment.sizeBytes)
            let first = try walk.next(from: SpoolFormat.segmentHeaderSizeBytes)
            segment.firstArrivalUnixNs = first?.record.arrivalUnixNs ?? 0
            segments.append(segment)
        }
        // What was only in a segment that is gone now is below its first number.
        let lowest = segments.first?.firstNumber ?? numbers.last ?? 1
        // The cursor is written before a segment goes: this one went by another hand.
        if let stored, lowest > stored.number {
            missingRecordCount = Int(clamping: lowest - stored.number)
        }
        cursor = Cursor(
            spoolID: spoolID ?? cursor.spoolID, number: max(cursor.number, lowest))
        nextNumber = max(cursor.number, segments.last?.nextNumber ?? 1)
        guard stored != cursor else { return }
        try folder.replace(SpoolOpening.cursorName, with: cursor.bytes)
    }

    private static func firstNumber(_ name: String) -> UInt64? {
        guard let number = UInt64(name.prefix(20)), number <= SpoolFormat.numberMax,
            name == Segment.name(firstNumber: number)
        else { return nil }
        return number
    }

    /// Nil when there is none, or a damaged one: then replay begins with the oldest record, and the
    /// database knows which of them it has.
    private static func readCursor(_ folder: SpoolFolder) throws(SpoolError) -> Cursor? {
        guard folder.exists(cursorName) else { return nil }
        let file = try folder.open(cursorName, flags: O_RDONLY)
        let bytes = try SpoolOpening.bytes(of: file, sizeBytes: SpoolFormat.cursorSizeBytes)
        return unsafe bytes.withUnsafeBytes { unsafe Cursor(ByteSlice($0)) }
    }

    private static func header(of file: SpoolFile) throws(SpoolError) -> SegmentHeader? {
        let bytes = try bytes(of: file, sizeBytes: SpoolFormat.segmentHeaderSizeBytes)
        guard let header = unsafe bytes.withUnsafeBytes({ unsafe SegmentHeader(ByteSlice($0)) })
        else { return nil }
        guard header.version == SpoolFormat.version else {
            throw .unknownVersion(path: file.path, version: header.version)
        }
        return header
    }

    private static func bytes(of file: SpoolFile, sizeBytes: Int) throws(SpoolError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: sizeBytes)
        let count = try file.read(at: 0, into: &bytes, count: sizeBytes)
        return Array(bytes[..<count])
    }

    /// Only the newest segment can end in the middle of a record: what is behind the last sound one
    /// was never promised to anybody.
    private mutating func cutTornTail(
        _ segment: inout Segment, _ file: SpoolFile
    ) throws(SpoolError) {
        let walk = SegmentWalk(file: file, limitBytes: segment.sizeBytes)
        var offset = SpoolFormat.segmentHeaderSizeBytes
        var soundBytes = 0
        while let found = try walk.next(from: offset) {
            offset = found.endOffset
            guard try walk.isBodySound(found), found.record.number >= segment.nextNumber else {
                continue
            }
            soundBytes = offset
            segment.nextNumber = found.record.number + 1
        }
        guard soundBytes < segment.sizeBytes else { return }
        // A segment that never got a record is no loss: it was made, and then the disk was full.
        tornSizeBytes += max(
            0, segment.sizeBytes - max(soundBytes, SpoolFormat.segmentHeaderSizeBytes))
        try file.truncate(sizeBytes: soundBytes)
        try file.sync(disk: .real)
        segment.sizeBytes = soundBytes
    }
}

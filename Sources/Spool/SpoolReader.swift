// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux

/// Bytes of a spool that hold no sound record where one should be.
package struct SpoolDamage: Sendable, Equatable {
    package let path: String
    package let sizeBytes: Int
    /// Records that were lost, as seen from the numbers before and behind.
    package let recordCount: Int
}

/// Reads the records of a spool in order, as far as they are on disk for good.
///
/// Thread: one, the same that settles.
package final class SpoolReader {
    private let spool: Spool
    private var file: SpoolFile?
    /// Of the segment that `file` is.
    private var firstNumber: UInt64 = 0
    private var offset = 0
    /// Of the record that should come next.
    private var nextNumber: UInt64
    /// Up to here damage was reported.
    private var reportedNumber: UInt64 = 0

    package enum Step {
        /// The body is in the buffer.
        case record(SpoolRecord)
        /// Go on with the next call.
        case damage(SpoolDamage)
        /// The budget has no room for the body now.
        case overBudget
        /// There is nothing more now.
        case atEnd
    }

    /// Below this number every record was handed over, or is lost.
    package var position: UInt64 { nextNumber }

    package init(_ spool: Spool) {
        self.spool = spool
        nextNumber = spool.cursor
    }

    /// Goes back to the first record that is not settled.
    package func rewind() {
        file = nil
        nextNumber = spool.cursor
    }

    /// Reads the next record into `body`, replacing its content, and passing over those for which
    /// `isWanted` is false.
    package func next(
        into body: inout OwnedBytes, isWanted: (UInt64) -> Bool
    ) throws(SpoolError) -> Step {
        while true {
            guard let segment = try openSegment() else { return .atEnd }
            guard let file else { return .atEnd }
            let walk = SegmentWalk(file: file, limitBytes: segment.sizeBytes)
            guard offset < segment.sizeBytes, let found = try walk.next(from: offset) else {
                if let damage = leave(segment) { return .damage(damage) }
                guard self.file == nil else { return .atEnd }
                continue
            }
            let number = found.record.number
            // Numbers beyond the segment's are of records that were taken back.
            guard number >= nextNumber, number < segment.nextNumber else {
                offset = found.endOffset
                continue
            }
            if number > nextNumber,
                let damage = damage(in: segment, endOffset: found.offset, endNumber: number)
            {
                return .damage(damage)
            }
            guard isWanted(number) else {
                pass(found)
                continue
            }
            guard let isSound = try read(found, file, into: &body) else { return .overBudget }
            pass(found)
            if isSound { return .record(found.record) }
            guard number >= reportedNumber else { continue }
            return .damage(report(segment, sizeBytes: found.record.sizeBytes, recordCount: 1))
        }
    }

    private func pass(_ found: SegmentWalk.Found) {
        offset = found.endOffset
        nextNumber = found.record.number + 1
    }

    /// The segment that is being read, opened if it is not; nil when there is nothing to read.
    private func openSegment() throws(SpoolError) -> Segment? {
        if file != nil {
            if let segment = spool.segment(startingAt: firstNumber) { return segment }
            file = nil
        }
        guard let segment = spool.segment(holding: nextNumber), segment.nextNumber > nextNumber
        else { return nil }
        file = try spool.folder.open(segment.name, flags: O_RDONLY)
        firstNumber = segment.firstNumber
        offset = SpoolFormat.segmentHeaderSizeBytes
        return segment
    }

    /// At the end of what can be read: closes the file if another one follows, and says what is
    /// missing at the end of this one.
    private func leave(_ segment: Segment) -> SpoolDamage? {
        let lost = damage(
            in: segment, endOffset: segment.sizeBytes, endNumber: segment.nextNumber)
        if spool.segment(after: firstNumber) != nil { file = nil }
        return lost
    }

    /// Passes over bytes that are no record; nil when nothing is missing.
    private func damage(in segment: Segment, endOffset: Int, endNumber: UInt64) -> SpoolDamage? {
        let sizeBytes = max(0, endOffset - offset)
        let recordCount = Int(endNumber - min(endNumber, nextNumber))
        offset = endOffset
        nextNumber = max(nextNumber, endNumber)
        guard recordCount > 0, endNumber > reportedNumber else { return nil }
        return report(segment, sizeBytes: sizeBytes, recordCount: recordCount)
    }

    private func report(_ segment: Segment, sizeBytes: Int, recordCount: Int) -> SpoolDamage {
        reportedNumber = nextNumber
        spool.markDamaged(segment.firstNumber)
        return SpoolDamage(
            path: spool.folder.path + "/" + segment.name, sizeBytes: sizeBytes,
            recordCount: recordCount)
    }

    /// Whether the body is sound; nil when there is no memory for it.
    private func read(
        _ found: SegmentWalk.Found, _ file: SpoolFile, into body: inout OwnedBytes
    ) throws(SpoolError) -> Bool? {
        let sizeBytes = found.record.bodySizeBytes
        body.removeAll()
        guard body.reserve(capacityBytes: sizeBytes) else { return nil }
        try unsafe body.appendUninitialized { (free) throws(SpoolError) in
            unsafe try file.read(
                at: found.bodyOffset,
                into: UnsafeMutableRawBufferPointer(rebasing: free[..<sizeBytes]))
        }
        #if DEBUG
        if TestBreak.isOn(.noSpoolChecksum) { return true }
        #endif
        return body.count == sizeBytes && CRC32C.of(body.slice) == found.record.bodyChecksum
    }
}

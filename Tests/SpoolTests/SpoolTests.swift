// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Synchronization
import Testing

@testable import Spool

struct KnownValue: Sendable {
    let bytes: [UInt8]
    let value: UInt32
}

struct ChecksumTests {
    /// RFC 3720, B.4, and the usual check value.
    @Test(arguments: [
        KnownValue(bytes: [UInt8](repeating: 0, count: 32), value: 0x8a91_36aa),
        KnownValue(bytes: [UInt8](repeating: 0xff, count: 32), value: 0x62a8_ab43),
        KnownValue(bytes: Array("123456789".utf8), value: 0xe306_9283),
        KnownValue(bytes: [], value: 0),
    ])
    func knownValues(known: KnownValue) {
        let found = unsafe known.bytes.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
        #expect(found == known.value)
    }

    @Test func piecesGiveTheSame() {
        let bytes = bodyOf(1, sizeBytes: 100)
        let whole = unsafe bytes.withUnsafeBytes { unsafe CRC32C.of(ByteSlice($0)) }
        for cut in 0...bytes.count {
            var checksum = CRC32C()
            unsafe bytes.withUnsafeBytes { buffer in
                let slice = unsafe ByteSlice(buffer)
                checksum.add(slice.slice(offset: 0, count: cut))
                checksum.add(slice.slice(offset: cut, count: bytes.count - cut))
            }
            #expect(checksum.value == whole)
        }
    }
}

struct SpoolTests {
    @Test func recordsComeBackInOrder() throws {
        let folder = ScratchFolder()
        let bodies = (0..<50).map { bodyOf($0, sizeBytes: $0 * 40) }
        let spool = try Spool(folder.settings(segmentSizeBytes: 4_096))
        #expect(spool.append(Array(bodies[..<20])).count == 20)
        #expect(spool.append(Array(bodies[20...])).count == 30)
        #expect(folder.names().count > 5)
        let found = try spool.readAll()
        #expect(found.damage.isEmpty)
        #expect(
            found.bodies
                == Dictionary(
                    uniqueKeysWithValues: bodies.enumerated().map {
                        (UInt64($0.offset + 1), $0.element)
                    }))
        #expect(spool.status.recordCount == 50)
        #expect(spool.status.oldestUnixNs == 1_000)
    }

    @Test func largeBodiesGoThroughTheBufferInPieces() throws {
        let folder = ScratchFolder()
        let bodies = [300_000, 262_144, 262_088, 262_089, 5].map { bodyOf(1, sizeBytes: $0) }
        var spool: Spool? = try Spool(folder.settings(sizeBytesMax: 1 << 22))
        #expect(spool?.append(bodies).count == bodies.count)
        spool = nil
        let found = try Spool(folder.settings()).readAll()
        #expect(bodies.indices.allSatisfy { found.bodies[UInt64($0 + 1)] == bodies[$0] })
    }

    @Test func settledSegmentsGoAndNumbersGoOn() throws {
        let folder = ScratchFolder()
        var spool: Spool? = try Spool(folder.settings(segmentSizeBytes: 150))
        _ = spool?.append((0..<4).map { bodyOf($0) })
        let id = spool?.id
        #expect(folder.names().count == 2)
        try spool?.settle(before: 3)
        #expect(folder.names().count == 1)
        try spool?.settle(before: 5, isFinal: true)
        #expect(folder.names().isEmpty)
        #expect(spool?.isEmpty == true)
        spool = nil
        let again = try Spool(folder.settings())
        #expect(again.id == id)
        _ = again.append([bodyOf(9)])
        #expect(try again.readAll().bodies.keys.sorted() == [5])
    }

    @Test func replayGoesOnAtTheCursor() throws {
        let folder = ScratchFolder()
        var spool: Spool? = try Spool(folder.settings())
        _ = spool?.append((0..<5).map { bodyOf($0) })
        try spool?.settle(before: 3, isFinal: true)
        spool = nil
        #expect(try Spool(folder.settings()).readAll().bodies.keys.sorted() == [3, 4, 5])
    }

    @Test("without or with a damaged cursor, all that is on disk is read", arguments: [0, 12, 39])
    func cursorIsLost(damagedOffset: Int) throws {
        let folder = ScratchFolder()
        var spool: Spool? = try Spool(folder.settings())
        _ = spool?.append((0..<3).map { bodyOf($0) })
        try spool?.settle(before: 2, isFinal: true)
        let id = spool?.id
        spool = nil
        var bytes = folder.bytes(of: "cursor")
        bytes[damagedOffset] ^= 1
        try folder.write(bytes, to: "cursor")
        let again = try Spool(folder.settings())
        #expect(again.id == id)
        #expect(try again.readAll().bodies.keys.sorted() == [1, 2, 3])
    }

    // Goal: a number that counting could not go on from is damage, wherever it stands. Method: the
    // largest that is taken, and one more.
    @Test(arguments: [SpoolFormat.numberMax, SpoolFormat.numberMax + 1, .max])
    func numbersHaveAnEnd(number: UInt64) throws {
        let isTaken = number == SpoolFormat.numberMax
        let end = number == .max ? number : number + 1
        let cursor = Cursor(spoolID: SpoolID(high: 1, low: 2), number: end).bytes
        #expect((unsafe cursor.withUnsafeBytes { unsafe Cursor(ByteSlice($0)) } != nil) == isTaken)
        var record = SpoolRecord(
            signal: .logs, fingerprint: Fingerprint(high: 1, low: 2), arrivalUnixNs: 3,
            itemCount: 4, bodySizeBytes: 0)
        record.number = number
        let header = record.headerBytes
        #expect(
            (unsafe header.withUnsafeBytes { unsafe SpoolRecord(header: ByteSlice($0)) } != nil)
                == isTaken)
        let folder = ScratchFolder()
        let id = try Spool(folder.settings()).id
        let segment = SegmentHeader(spoolID: id).bytes + header
        try folder.write(segment, to: Segment.name(firstNumber: number))
        let spool = try Spool(folder.settings())
        #expect(try spool.readAll().bodies.keys.sorted() == (isTaken ? [number] : []))
        #expect(spool.append([bodyOf(1)]).error == (isTaken ? .full : nil))
    }

    @Test func onlyNamesAsWrittenAreSegments() throws {
        let folder = ScratchFolder()
        _ = try Spool(folder.settings())
        try folder.write([1, 2, 3], to: "+0000000000000000001.spool")
        #expect(try Spool(folder.settings()).isEmpty)
        #expect(folder.names() == ["+0000000000000000001.spool"])
    }

    @Test func twoCannotShareAFolder() throws {
        let folder = ScratchFolder()
        let spool = try Spool(folder.settings())
        #expect(throws: SpoolError.locked(path: folder.path)) { try Spool(folder.settings()) }
        #expect(spool.isEmpty)
    }

    @Test func anotherVersionIsNotTouched() throws {
        let folder = ScratchFolder()
        var spool: Spool? = try Spool(folder.settings())
        _ = spool?.append([bodyOf(1)])
        spool = nil
        let name = try #require(folder.names().first)
        let header = BigEndian.checked(magic: SpoolFormat.segmentMagic) {
            $0.append(UInt32(2))
            $0.append(UInt64(1))
            $0.append(UInt64(2))
        }
        let bytes = header + folder.bytes(of: name).dropFirst(32)
        try folder.write(bytes, to: name)
        #expect(throws: SpoolError.unknownVersion(path: folder.path + "/" + name, version: 2)) {
            try Spool(folder.settings())
        }
        #expect(folder.bytes(of: name) == bytes)
    }

    @Test("the bound holds on both sides", arguments: [(0, 2), (-1, 1)])
    func bounded(extraBytes: Int, takenCount: Int) throws {
        let folder = ScratchFolder()
        // Two records and the segment's header twice: one is there, one is kept for a new segment.
        let sizeBytesMax = 2 * (56 + 20) + 2 * 32 + extraBytes
        let spool = try Spool(folder.settings(sizeBytesMax: sizeBytesMax))
        let result = spool.append((0..<3).map { bodyOf($0) })
        #expect(result.count == takenCount)
        #expect(result.error == .full)
        #expect(try spool.readAll().bodies.count == takenCount)
        try spool.settle(before: UInt64(takenCount + 1), isFinal: true)
        #expect(spool.append([bodyOf(1)]).count == 1)
    }
}

struct DamageTests {
    /// A folder with one segment of `count` records, and its content.
    private func written(_ count: Int) throws -> (ScratchFolder, String, [UInt8]) {
        let folder = ScratchFolder()
        let spool = try Spool(folder.settings())
        #expect(spool.append((1...count).map { bodyOf($0) }).count == count)
        let name = try #require(folder.names().first)
        return (folder, name, folder.bytes(of: name))
    }

    @Test func cutAtEveryByte() throws {
        let (folder, name, bytes) = try written(4)
        let recordSizeBytes = 56 + 20
        for sizeBytes in 0...bytes.count {
            try folder.write(bytes[..<sizeBytes], to: name)
            let wholeCount = max(0, sizeBytes - 32) / recordSizeBytes
            let spool = try Spool(folder.settings())
            let found = try spool.readAll()
            #expect(found.damage.isEmpty)
            #expect(found.bodies.count == wholeCount, "cut at \(sizeBytes)")
            let soundBytes = 32 + wholeCount * recordSizeBytes
            #expect(spool.tornSizeBytes == max(0, sizeBytes - soundBytes))
            #expect(spool.append([bodyOf(7)]).count == 1)
            #expect(try spool.readAll().bodies.count == wholeCount + 1)
            for other in folder.names() { try folder.remove(other) }
        }
    }

    @Test func everyBitFlipped() throws {
        let (folder, name, bytes) = try written(3)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            try folder.write(damaged, to: name)
            let spool = try Spool(folder.settings())
            let found = try spool.readAll()
            // At most the record that was hit is missing, and no other one is wrong.
            let hit = bit / 8 < 32 ? 0 : (bit / 8 - 32) / 76 + 1
            for number in 1...3 where number != hit {
                #expect(found.bodies[UInt64(number)] == bodyOf(number), "bit \(bit)")
            }
            #expect(found.bodies[UInt64(hit)] == nil)
            // The last record is cut off as a torn one; others are reported.
            #expect(found.damage.map(\.recordCount) == (hit == 1 || hit == 2 ? [1] : []))
            #expect((spool.tornSizeBytes > 0) == (hit == 3))
            for other in folder.names() { try folder.remove(other) }
        }
    }

    @Test("what was in a segment that is gone is counted, except behind the last sound record")
    func segmentsGone() throws {
        for gone in 0..<5 {
            let folder = ScratchFolder()
            var spool: Spool? = try Spool(folder.settings(segmentSizeBytes: 150))
            #expect(spool?.append((1...10).map { bodyOf($0) }).count == 10)
            try spool?.settle(before: 2, isFinal: true)
            spool = nil
            let names = folder.names()
            #expect(names.count == 5)
            try folder.remove(names[gone])
            let again = try Spool(folder.settings())
            let found = try again.readAll()
            let lostNumbers = UInt64(gone * 2 + 1)...UInt64(gone * 2 + 2)
            #expect(found.bodies.keys.sorted() == (2...10).filter { !lostNumbers.contains($0) })
            #expect(again.missingRecordCount == (gone == 0 ? 1 : 0))
            #expect(found.damage.map(\.recordCount) == ((1...3).contains(gone) ? [2] : []))
            #expect(again.openingNumber == (gone == 4 ? 9 : 11))
        }
    }

    @Test func damagedSegmentsAreKeptButNotForEver() throws {
        let folder = ScratchFolder()
        for round in 0..<6 {
            var spool: Spool? = try Spool(folder.settings())
            _ = spool?.append((0..<2).map { bodyOf($0) })
            spool = nil
            let name = try #require(folder.names().first)
            var bytes = folder.bytes(of: name)
            bytes[32 + 60] ^= 1
            try folder.write(bytes, to: name)
            let again = try Spool(folder.settings())
            #expect(try again.readAll().damage.count == 1)
            try again.settle(before: UInt64(2 * round + 3), isFinal: true)
            #expect(folder.names().isEmpty)
            #expect(folder.names(".damaged").count == min(round + 1, Spool.damagedFileCountMax))
        }
    }
}

/// A disk with room for so many bytes, or that fails to sync.
private final class FailingDisk: Sendable {
    let roomBytes: Atomic<Int>
    let isSyncing = Atomic<Bool>(true)

    init(roomBytes: Int) { self.roomBytes = Atomic(roomBytes) }

    var disk: SpoolDisk {
        SpoolDisk(
            write: { [self] descriptor, bytes, offset in
                let room = roomBytes.load(ordering: .relaxed)
                let count = min(room, bytes.count)
                roomBytes.subtract(count, ordering: .relaxed)
                guard count > 0 || bytes.isEmpty else {
                    _ = close(-1)  // leaves an errno
                    return -1
                }
                return SpoolDisk.real.write(
                    descriptor, bytes.slice(offset: 0, count: count), offset)
            },
            sync: { [self] descriptor in
                isSyncing.load(ordering: .relaxed) ? SpoolDisk.real.sync(descriptor) : -1
            })
    }
}

struct FullDiskTests {
    @Test func roomEndsAtEveryByte() throws {
        for roomBytes in 0...(32 + 3 * 76) {
            let folder = ScratchFolder()
            let disk = FailingDisk(roomBytes: roomBytes)
            var spool: Spool? = try Spool(folder.settings(disk: disk.disk))
            let result = try #require(spool?.append((1...3).map { bodyOf($0) }))
            let wholeCount = max(0, roomBytes - 32) / 76
            #expect(result.count == wholeCount)
            #expect((result.error == nil) == (wholeCount == 3))
            #expect(try spool?.readAll().bodies.count == wholeCount)
            spool = nil
            let again = try Spool(folder.settings())
            #expect(again.tornSizeBytes == 0, "room for \(roomBytes)")
            #expect(try again.readAll().bodies.count == wholeCount)
        }
    }

    @Test func whatIsNotSyncedIsNotPromised() throws {
        let folder = ScratchFolder()
        let disk = FailingDisk(roomBytes: .max)
        let spool = try Spool(folder.settings(disk: disk.disk))
        #expect(spool.append([bodyOf(1)]).count == 1)
        disk.isSyncing.store(false, ordering: .relaxed)
        let result = spool.append([bodyOf(2)])
        #expect(result.count == 0 && result.error != nil)
        #expect(spool.status.lastError != nil)
        #expect(try spool.readAll().bodies.keys.sorted() == [1])
    }
}

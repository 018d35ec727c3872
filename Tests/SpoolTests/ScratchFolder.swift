// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Foundation

@testable import Spool

/// A folder that is gone with the test.
final class ScratchFolder {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "/spool-\(UUID().uuidString)"
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func settings(
        sizeBytesMax: Int = 1 << 20, segmentSizeBytes: Int = 1 << 18, disk: SpoolDisk = .real
    ) -> SpoolSettings {
        var settings = SpoolSettings(
            path: path, sizeBytesMax: sizeBytesMax, segmentSizeBytes: segmentSizeBytes)
        settings.disk = disk
        return settings
    }

    func names(_ suffix: String = ".spool") -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted()
    }

    func bytes(of name: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: path + "/" + name) ?? Data())
    }

    func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
    }
}

struct CannotHappen: Error {}

/// The body that record `number` of these tests has.
func bodyOf(_ number: Int, sizeBytes: Int = 20) -> [UInt8] {
    (0..<sizeBytes).map { UInt8(truncatingIfNeeded: $0 * 7 + number) }
}

extension Spool {
    /// Appends records with the bodies given.
    func append(_ bodies: [[UInt8]]) -> (count: Int, sizeBytes: Int, error: SpoolError?) {
        append(count: bodies.count) { index in
            SpoolRecord(
                signal: .logs, fingerprint: Fingerprint(high: 1, low: UInt64(index)),
                arrivalUnixNs: 1_000 + UInt64(index), itemCount: 3,
                bodySizeBytes: bodies[index].count)
        } body: { index, sink in
            unsafe bodies[index].withUnsafeBytes { bytes in
                let whole = unsafe ByteSlice(bytes)
                let half = whole.count / 2
                sink.add(whole.slice(offset: 0, count: half))
                sink.add(whole.slice(offset: half, count: whole.count - half))
            }
        }
    }

    /// Everything that a reader finds: numbers, bodies and damage.
    func readAll() throws -> (bodies: [UInt64: [UInt8]], damage: [SpoolDamage]) {
        let reader = SpoolReader(self)
        var buffer = OwnedBytes(budget: MemoryBudget(limitBytes: 1 << 24))
        var bodies: [UInt64: [UInt8]] = [:]
        var damage: [SpoolDamage] = []
        while true {
            switch try reader.next(into: &buffer, isWanted: { _ in true }) {
            case .record(let record):
                bodies[record.number] = unsafe Array(buffer.slice.buffer)
            case .damage(let found): damage.append(found)
            case .atEnd: return (bodies, damage)
            case .overBudget: throw CannotHappen()
            }
        }
    }
}

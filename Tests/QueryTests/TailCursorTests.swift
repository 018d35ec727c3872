// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct TailCursorTests {
    private let fingerprint = Cursor.Fingerprint(of: "tail logs")

    @Test(arguments: ["1:1:", "10:20:10,14,19", "10:20:15", "4294967296:4294967299:4294967297"])
    func snapshots(_ text: String) throws {
        let snapshot = try #require(TransactionSnapshot(text))
        #expect(snapshot.text == text)
        for place in [nil, TailCursor.Place(upTo: snapshot, key: [.max, -1])] {
            let cursor = TailCursor(since: snapshot, sinceUnixNs: 1_700, place: place)
            let read = try TailCursor(
                cursor.text(of: fingerprint), of: fingerprint, keyCount: 2)
            #expect(read == cursor)
        }
    }

    @Test(arguments: [
        "", ":", "1:2", "a:2:", "0:1:", "3:2:", "1:3:3", "2:4:1", "1:9:2,2", "1:9:3,2", "1:3:x",
        "1:9223372036854775808:", "1:3:1:2",
    ])
    func noSnapshots(_ text: String) { #expect(TransactionSnapshot(text) == nil) }

    @Test func othersAreRefused() throws {
        let snapshot = TransactionSnapshot(oldest: 10, next: 20, underWay: [12])
        let cursor = TailCursor(
            since: snapshot, sinceUnixNs: 5, place: .init(upTo: snapshot, key: [1, 2]))
        let text = cursor.text(of: fingerprint)
        func kind(
            _ text: String, _ other: String = "tail logs", keyCount: Int = 2
        )
            -> QueryFailure.Kind?
        {
            do throws(QueryFailure) {
                _ = try TailCursor(text, of: .init(of: other), keyCount: keyCount)
                return nil
            } catch { return error.kind }
        }
        #expect(kind(text) == nil)
        #expect(kind(text, "tail spans") == .cursorMismatch)
        #expect(kind(text, keyCount: 4) == .cursorMismatch)
        for count in 0..<text.count {
            #expect(kind(String(text.prefix(count))) == .invalidParameter)
        }
        #expect(kind(text + "AA") == .invalidParameter)
        #expect(kind(String(repeating: "A", count: 10_000)) == .invalidParameter)
        #expect(kind("é") == .invalidParameter)
    }

    /// Any bytes are a cursor that can be asked with, or refused.
    @Test func bytesOfAnyKind() {
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            var text = "EQ"
            for _ in 0..<Int(state >> 59) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let alphabet = Array(
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
                text.append(alphabet[Int(state >> 58)])
            }
            state = state &* 6_364_136_223_846_793_005 &+ 1
            if let cursor = try? TailCursor(text, of: fingerprint, keyCount: 2) {
                #expect(cursor.since.isWellFormed)
            }
        }
    }

    private static let minuteNs: Int64 = 60_000_000_000
    private static let lost: [(ageNs: Int64, next: UInt64, placeNext: UInt64?, isLost: Bool)] = [
        (0, 20, nil, false), (15 * minuteNs, 20, nil, false), (15 * minuteNs + 1, 20, nil, true),
        // Of a database that is ahead of this one, hence another.
        (0, 21, nil, true), (0, 15, 20, false), (0, 15, 21, true),
    ]

    @Test(arguments: lost.indices)
    func whatIsTooOldOrOfAnotherDatabaseIsLost(index: Int) {
        let (ageNs, next, placeNext, isLost) = TailCursorTests.lost[index]
        let now = TailCursor(
            since: TransactionSnapshot(oldest: 20, next: 20, underWay: []),
            sinceUnixNs: 100 * TailCursorTests.minuteNs)
        let place = placeNext.map {
            TailCursor.Place(
                upTo: TransactionSnapshot(oldest: 5, next: $0, underWay: []), key: [1, 2])
        }
        let then = TailCursor(
            since: TransactionSnapshot(oldest: 5, next: next, underWay: []),
            sinceUnixNs: now.sinceUnixNs - ageNs, place: place)
        #expect(TailRound.isLost(then, at: now) == isLost)
    }
}

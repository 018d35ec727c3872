// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct PageTests {
    private let range = TimeRange(startUnixNs: 5, endUnixNs: .max)
    private let fingerprint = Cursor.Fingerprint(of: "spans now-15m")

    @Test func aCursorComesBackAsItWas() throws {
        let cursor = Cursor(range: range, key: [.min, -1, 0, .max], of: fingerprint)
        #expect(try Cursor(cursor.text, of: fingerprint, keyCount: 4) == cursor)
        #expect(cursor.text.utf8.allSatisfy { $0 != 0x2b && $0 != 0x2f && $0 != 0x3d })
    }

    @Test func aCursorOfAnotherQuestionIsTold() {
        let text = Cursor(range: range, key: [1], of: fingerprint).text
        let other = #expect(throws: QueryFailure.self) {
            try Cursor(text, of: Cursor.Fingerprint(of: "spans now-16m"), keyCount: 1)
        }
        #expect(other?.kind == .cursorMismatch)
        let length = #expect(throws: QueryFailure.self) {
            try Cursor(text, of: fingerprint, keyCount: 2)
        }
        #expect(length?.kind == .cursorMismatch)
    }

    @Test(arguments: ["", "A", "AQ", "%%%%", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAA"])
    func whatIsNoCursor(_ text: String) {
        let failure = #expect(throws: QueryFailure.self) {
            try Cursor(text, of: fingerprint, keyCount: 0)
        }
        #expect(failure?.kind == .invalidParameter)
    }

    @Test(arguments: [
        (nil, 100, false), (1, 1, false), (1_000, 1_000, false), (1_001, 1_000, true),
    ])
    func limits(_ asked: Int64?, _ count: Int, _ isCut: Bool) throws {
        let limit = try PageLimit(asked)
        #expect(limit.count == count)
        #expect((limit.warning != nil) == isCut)
    }

    @Test func aPageHasAnElementAtLeast() {
        let failure = #expect(throws: QueryFailure.self) { try PageLimit(0) }
        #expect(failure?.kind == .invalidParameter)
    }
}

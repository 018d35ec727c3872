// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Postgres

// Goal: `last_seen` follows, an hour at a time, at the cost of one statement. Method: rows of
// different ages, and a row that another daemon has locked.
struct DimensionSightingTests {
    private func database() throws -> Session {
        let session = try ScratchDatabase().connect()
        try session.run(
            """
            INSERT INTO otel_resources_dim (resource_hash, last_seen)
            SELECT sha256(n::text::bytea), now() - n * interval '20 minutes'
            FROM generate_series(1, 6) AS n
            """)
        return session
    }

    private func note(_ session: Session, _ ids: [Int64]) throws -> Int {
        try session.connection.noteSightings(
            of: .resources, ids: ids, deadlineNs: farDeadlineNs)
    }

    @Test func onceAnHourAtMost() throws {
        let session = try database()
        // The third is an hour and a moment old.
        #expect(try note(session, [6, 1, 2, 3, 4, 99]) == 3)
        #expect(try note(session, [1, 2, 3, 4, 5, 6]) == 1)
        #expect(try note(session, [1, 2, 3, 4, 5, 6]) == 0)
        #expect(try note(session, []) == 0)
        let old = "SELECT count(*) FROM otel_resources_dim WHERE last_seen < now() - interval '1h'"
        #expect(try session.integer(old) == 0)
    }

    @Test func lockedRowsArePassedBy() throws {
        let session = try database()
        let holder = try session.sibling()
        holder.connection.begin()
        try holder.run("SELECT FROM otel_resources_dim WHERE resource_id = 5 FOR UPDATE")
        #expect(try note(session, [4, 5, 6]) == 2)
        try holder.connection.commit(deadlineNs: farDeadlineNs)
    }

    @Test func everyKindHasItsTable() throws {
        let session = try ScratchDatabase().connect()
        for kind in SightedDimension.allCases {
            #expect(
                try session.connection.noteSightings(
                    of: kind, ids: Array(1...2_500), deadlineNs: farDeadlineNs) == 0)
        }
    }
}

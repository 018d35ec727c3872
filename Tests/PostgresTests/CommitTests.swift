// SPDX-License-Identifier: Apache-2.0
import Base
import Copy
import Decode
import Rows
import Testing

@testable import Postgres

// Goal: the pieces fit: an export becomes rows in a partition, next to its dimensions. Method: the
// way of a writer, from decoded request to COMMIT.
struct CommitTests {
    /// 2026-11-21T12:00:00Z
    private static let noonNs: UInt64 = 1_795_262_400_000_000_000

    private func request(startNs: UInt64) -> Wire {
        let span = Wire.message(
            2, .bytes(1, Array(1...16)), .bytes(2, Array(1...8)), .text(5, "GET /"), .varint(6, 2),
            .fixed64(7, startNs), .fixed64(8, startNs + 5), Value.attribute(9, "a", .int(1)))
        let resource = Wire.message(1, Value.attribute(1, "service.name", .string("shop")))
        return .message(1, resource, .message(2, span))
    }

    @Test func exportIsCommitted() throws {
        let session = try ScratchDatabase().connect()
        let budget = MemoryBudget(limitBytes: 64 << 20)
        var resolving = Resolving()
        let export = try resolving.decode(request(startNs: CommitTests.noonNs), .traces)
        try resolving.begin(export)
        try resolving.write(to: session)
        resolving.builder.learn()

        var batch = CopyBatch(interval: .oneDay, budget: budget)
        let window = AcceptWindow(
            nowUnixNs: CommitTests.noonNs, pastNs: 1_000_000_000, futureNs: 1_000_000_000)
        let tally = batch.append(
            export, at: 0, builder: &resolving.builder,
            context: EmissionContext(window: window, arrivalUnixNs: CommitTests.noonNs))
        let isSealed = batch.seal()
        try #require(tally?.rowCount == 1 && isSealed)
        let maker = PartitionMaker(interval: .oneDay, cache: PartitionCache())
        let table = FactTable.spans
        try maker.ensure(
            table: table.name, startsNs: batch[table].partitionStartsUnixNs,
            on: &session.connection, deadlineNs: farDeadlineNs)
        let source = CopySource(
            statement: TableLayout(table: table).copyStatement, table: table.name,
            chunks: [batch[table].bytes])
        try session.connection.commit(copies: [source], deadlineNs: farDeadlineNs)

        let stored = try session.texts(
            """
            SELECT concat_ws(' ', span.tableoid::regclass, service_name, operation.name, trace_id,
                to_hex(span_id), end_time_unix_nano - start_time_unix_nano, attributes)
            FROM otel_spans_fact AS span JOIN otel_resources_dim USING (resource_id)
            JOIN otel_operations_dim AS operation USING (service_name, operation_id)
            """)
        let expected = """
            otel_spans_fact_p20261121 shop GET / 01020304-0506-0708-090a-0b0c0d0e0f10 \
            102030405060708 5 {"a": 1}
            """
        #expect(stored == [expected])
        _ = consume batch
    }
}

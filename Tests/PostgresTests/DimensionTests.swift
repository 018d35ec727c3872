// SPDX-License-Identifier: Apache-2.0
import Base
import Rows
import Synchronization
import Testing

@testable import Postgres

// Goal: each dimension is stored once with everything it says, and every daemon learns the same id.
// Method: requests decoded and resolved as a writer does it, against the migrated schema.
struct DimensionTests {
    /// A metrics request with one gauge, and one series per name.
    private func metrics(
        _ seriesNames: some Sequence<String>, resource: Wire = resource("shop")
    ) -> Wire {
        let points = seriesNames.map { name in
            Wire.message(
                1, Value.attribute(7, "series", .string(name)), .fixed64(3, 1_000), .double(4, 1.5))
        }
        let gauge = Wire.message(2, .text(1, "load"), .text(3, "1"), .bytes(5, Wire(points).bytes))
        return .message(1, .message(1, resource), .message(2, gauge))
    }

    /// A traces request with one span per name.
    private func traces(_ spanNames: some Sequence<String>, resource: Wire) -> Wire {
        let spans = spanNames.map { name in
            Wire.message(
                2, .bytes(1, [UInt8](repeating: 7, count: 16)),
                .bytes(2, [UInt8](repeating: 8, count: 8)), .text(5, name), .varint(6, 2),
                .fixed64(7, 1_000), .fixed64(8, 2_000))
        }
        return .message(1, .message(1, resource), .bytes(2, Wire(spans).bytes))
    }

    private static func resource(_ service: String) -> Wire {
        Value.attribute(1, "service.name", .string(service))
    }

    @Test func resourceIsStoredWithAllAttributes() throws {
        let session = try ScratchDatabase().connect()
        let longKey = String(repeating: "k", count: 513)
        let resource = Wire(
            Value.attribute(1, "service.name", .string("first")),
            Value.attribute(1, "service.name", .string("shop")),
            Value.attribute(1, "service.namespace", .string("town")),
            Value.attribute(1, "an.int", .int(.min)), Value.attribute(1, "a.double", .double(.nan)),
            Value.attribute(1, "a.bool", .bool(false)),
            Value.attribute(1, "some.bytes", .bytes([0, 255])),
            Value.attribute(1, "a.list", .array([.int(1), .double(2), .none])),
            Value.attribute(1, "nothing", .none), Value.attribute(1, longKey, .string("v")),
            .varint(2, UInt64(UInt32.max)),
            .message(3, .text(2, "service"), .text(3, "service.name"), .text(4, "b")))
        var resolving = Resolving()
        _ = try resolving.resolve(traces(["GET /"], resource: resource), .traces, on: session)

        let dim = "FROM otel_resources_dim JOIN otel_resource_attrs_"
        #expect(
            try session.text(
                "SELECT service_name || '/' || service_namespace FROM otel_resources_dim")
                == "shop/town")
        #expect(
            try session.integer("SELECT dropped_attributes_count FROM otel_resources_dim") == -1)
        #expect(
            try session.text("SELECT entity_refs::text FROM otel_resources_dim")
                == #"[{"type": "service", "id_keys": ["service.name"], "description_keys": ["b"]}]"#
        )
        #expect(
            try session.integer("SELECT count(*) FROM otel_resources_dim WHERE schema_url IS NULL")
                == 1)
        let strings = try session.texts(
            """
            SELECT key || '=' || value \(dim)string USING (resource_id)
            JOIN attribute_keys USING (key_id) ORDER BY 1
            """)
        #expect(strings == ["service.name=shop", "service.namespace=town"])
        #expect(try session.integer("SELECT value \(dim)int USING (resource_id)") == .min)
        #expect(try session.text("SELECT value::text \(dim)double USING (resource_id)") == "NaN")
        #expect(try session.text("SELECT value::text \(dim)bool USING (resource_id)") == "false")
        #expect(
            try session.text("SELECT value::text \(dim)bytes USING (resource_id)") == #"\x00ff"#)
        let expected = #"{"a.list": [1, 2.0, null], "nothing": null, "\#(longKey)": "v"}"#
        #expect(
            try session.text(
                "SELECT (attributes = '\(expected)'::jsonb)::text \(dim)other USING (resource_id)")
                == "true")
        #expect(try session.integer("SELECT count(*) FROM attribute_keys") == 6)
    }

    @Test func metricsOfAllKindsAreStored() throws {
        let session = try ScratchDatabase().connect()
        let scope = Wire.message(
            1, .text(1, "lib"), .text(2, "1.0"), Value.attribute(3, "color", .string("red")))
        let point = Wire.message(
            1, .fixed64(3, 1_000), .fixed64(4, 3), .bytes(6, [UInt8](repeating: 0, count: 24)),
            .double(7, 0.5), .double(7, 2))
        let request = Wire.message(
            1, .message(1, DimensionTests.resource("shop")),
            .message(
                2, scope,
                .message(
                    2, .text(1, "latency"), .text(2, "how long"), .text(3, "s"),
                    .message(9, point, .varint(2, 2)), Value.attribute(12, "note", .int(5))),
                .message(
                    2, .text(1, "requests"),
                    .message(
                        7, .message(1, .fixed64(3, 1_000), .double(4, 1)), .varint(2, 1),
                        .varint(3, 1))),
                .text(3, "https://example.org/schema")))
        var resolving = Resolving()
        let ids = try resolving.resolve(request, .metrics, on: session)
        #expect(ids.count == 2)
        let metrics = try session.texts(
            """
            SELECT concat_ws('|', name, metric_type_id, unit, aggregation_temporality_id,
                is_monotonic, description, schema_url, metadata) FROM otel_metrics_dim ORDER BY 1
            """)
        #expect(
            metrics == [
                #"latency|9|s|2|how long|https://example.org/schema|{"note": 5}"#,
                "requests|7|1|t|https://example.org/schema",
            ])
        #expect(
            try session.text("SELECT explicit_bounds::text FROM otel_histogram_bounds_dim")
                == "{0.5,2}")
        #expect(
            try session.text(
                "SELECT concat_ws('|', name, version, schema_url) FROM otel_scopes_dim")
                == "lib|1.0|https://example.org/schema")
        #expect(try session.text("SELECT value FROM otel_scope_attrs_string") == "red")
        #expect(
            try session.integer(
                "SELECT count(*) FROM otel_metric_series_dim WHERE scope_id IS NOT NULL"
            ) == 2)
    }

    @Test func anotherDaemonFindsWhatIsThere() throws {
        let database = try ScratchDatabase()
        let request = metrics(["a", "b", "c"])
        var first = Resolving()
        let firstIDs = try first.resolve(request, .metrics, on: database.connect())
        var second = Resolving()
        let secondIDs = try second.resolve(request, .metrics, on: database.connect())
        #expect(firstIDs == secondIDs && firstIDs.count == 3 && !firstIDs.contains(0))
        #expect(try database.integer("SELECT count(*) FROM otel_metric_series_dim") == 3)
        // A look-up comes first, so that what exists uses up no numbers.
        #expect(
            try database.integer("SELECT last_value FROM otel_resources_dim_resource_id_seq") == 1)
    }

    @Test func daemonsAgreeOnIDsWhileTheyRace() throws {
        let database = try ScratchDatabase()
        let names = (0..<1_500).map { "series \($0)" }
        let learned = Mutex<[[String: Int64]]>([])
        let threads = (0..<4).map { daemon in
            WorkerThread(name: "dimensions") {
                do {
                    let own = daemon % 2 == 0 ? names : names.reversed()
                    var resolving = Resolving()
                    let ids = try resolving.resolve(metrics(own), .metrics, on: database.connect())
                    let pairs = Dictionary(uniqueKeysWithValues: zip(own, ids))
                    learned.withLock { $0.append(pairs) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        for thread in threads { thread.join() }
        let all = learned.withLock { $0 }
        #expect(all.count == 4)
        #expect(all.allSatisfy { $0 == all[0] })
        #expect(try database.integer("SELECT count(*) FROM otel_metric_series_dim") == 1_500)
        #expect(
            try database.integer("SELECT count(*) FROM otel_metric_series_attrs_string") == 1_500)
        #expect(try database.integer("SELECT count(*) FROM otel_resources_dim") == 1)
        #expect(try database.integer("SELECT count(*) FROM attribute_keys") == 2)
    }

    @Test(arguments: [999, 1_000, 1_001, 10_000])
    func manyNewSeriesAreWrittenInSteps(count: Int) throws {
        let session = try ScratchDatabase().connect()
        var resolving = Resolving { $0.missingCountMax = 20_000 }
        let ids = try resolving.resolve(
            metrics((0..<count).map { "series \($0)" }), .metrics, on: session)
        #expect(Set(ids).count == count)
        #expect(
            try session.integer("SELECT count(*) FROM otel_metric_series_attrs_string") == count)
    }

    @Test func hugeAttributesAreSplitOverStatements() throws {
        let session = try ScratchDatabase().connect()
        let value = String(repeating: "v", count: DimensionLimits.statementSizeBytesMax / 2 + 1)
        let points = (0..<5).map { index in
            Wire.message(
                1, Value.attribute(7, "index", .int(index)),
                Value.attribute(7, "text", .string(value)),
                .fixed64(3, 1_000), .double(4, 1))
        }
        let gauge = Wire.message(2, .text(1, "load"), .bytes(5, Wire(points).bytes))
        var resolving = Resolving()
        let request = Wire.message(1, .message(2, gauge))
        #expect(try resolving.resolve(request, .metrics, on: session).count == 5)
        let sizes = try session.texts(
            "SELECT DISTINCT length(value)::text FROM otel_metric_series_attrs_string")
        #expect(sizes == ["\(value.count)"])
        #expect(try session.integer("SELECT count(*) FROM otel_metric_series_attrs_string") == 5)
        #expect(
            try session.integer("SELECT sum(value)::int8 FROM otel_metric_series_attrs_int") == 10)
    }

    @Test func hugeRowsAreSplitOverTransactions() throws {
        let session = try ScratchDatabase().connect()
        let size = DimensionLimits.statementSizeBytesMax / 2 + 1
        let scopes = (0..<5).map { index in
            Wire.message(
                2, .message(1, .text(1, "\(index)" + String(repeating: "n", count: size))),
                .message(
                    2, .text(1, "load"), .message(5, .message(1, .fixed64(3, 1), .double(4, 1)))))
        }
        var resolving = Resolving()
        let ids = try resolving.resolve(.bytes(1, Wire(scopes).bytes), .metrics, on: session)
        #expect(ids.count == 5)
        #expect(
            try session.integer("SELECT count(DISTINCT scope_id) FROM otel_metric_series_dim") == 5)
        #expect(try session.integer("SELECT count(DISTINCT xmin::text) FROM otel_scopes_dim") == 3)
    }

    @Test func operationsStopAtTheirAllowance() throws {
        let session = try ScratchDatabase().connect()
        let resource = DimensionTests.resource("shop")
        var first = Resolving()
        _ = try first.resolve(traces(["a", "b"], resource: resource), .traces, on: session)
        #expect(try session.connection.countOperations(limit: 10, deadlineNs: farDeadlineNs) == 2)
        #expect(try session.connection.countOperations(limit: 1, deadlineNs: farDeadlineNs) == 1)

        var second = Resolving { $0.operationCountMax = 3 }
        let export = try second.decode(
            traces(["a", "c", "d", "e", "b", "f"], resource: resource), .traces)
        try second.begin(export)
        #expect(second.allowance == 3)
        try second.write(to: session)
        #expect(second.operationIDs.filter { $0 != 0 }.count == 5)
        #expect(second.insertedOperationCount == 3)
        #expect(try session.integer("SELECT count(*) FROM otel_operations_dim") == 5)
        // Nothing is left of the allowance, and what exists is found nevertheless.
        var third = Resolving { $0.operationCountMax = 0 }
        let again = try third.decode(traces(["a", "z"], resource: resource), .traces)
        try third.begin(again)
        try third.write(to: session)
        #expect(third.operationIDs.filter { $0 != 0 }.count == 1)
        #expect(try session.integer("SELECT count(*) FROM otel_operations_dim") == 5)
    }

    /// Ids that were learned from another database point nowhere: everything has to be learned
    /// anew.
    @Test func unknownIDsAskForReconnect() throws {
        let (old, new) = (try ScratchDatabase(), try ScratchDatabase())
        var resolving = Resolving()
        let session = try old.connect()
        let export = try resolving.decode(metrics(["a"]), .metrics)
        try resolving.begin(export)
        try resolving.write(to: session)
        resolving.builder.learn()
        try resolving.continueWithSeries(export)
        var error: DatabaseError?
        do {
            try resolving.write(to: new.connect())
        } catch let caught as DatabaseError {
            error = caught
        }
        #expect(error?.sqlState == "23503")
        #expect(error?.disposition == .reconnect)
    }

    /// Rows and their attributes come together or not at all.
    @Test func failureLeavesNoHalfDimension() throws {
        let session = try ScratchDatabase().connect()
        try session.run("DROP TABLE otel_resource_attrs_string CASCADE")
        var resolving = Resolving()
        let export = try resolving.decode(metrics(["a"]), .metrics)
        try resolving.begin(export)
        var error: DatabaseError?
        do {
            try resolving.write(to: session)
        } catch let caught as DatabaseError {
            error = caught
        }
        #expect(error?.sqlState == "42P01")
        #expect(error?.disposition == .fatal)
        #expect(session.isUsable && !session.isInTransaction)
        #expect(try session.integer("SELECT count(*) FROM otel_resources_dim") == 0)
        #expect(resolving.resourceIDs == [0])
    }
}

extension Resolving {
    fileprivate var allowance: Int { builder.missing.operationInsertCountMax }
    fileprivate var insertedOperationCount: Int { builder.missing.operationInsertedCount }
    fileprivate var operationIDs: [Int64] { builder.missing.operations.entries.map(\.id) }
    fileprivate var resourceIDs: [Int64] { builder.missing.resources.entries.map(\.id) }
}

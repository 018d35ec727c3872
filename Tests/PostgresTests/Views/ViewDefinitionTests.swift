// SPDX-License-Identifier: Apache-2.0
import Rows
import Testing

@testable import Postgres

// Goal: what is written into statements means what it says, and a change of any part is noticed.
// Method: tables of texts, and definitions that differ in one part.
struct ViewDefinitionTests {
    @Test(arguments: [
        ("", "''"), ("plain", "'plain'"), ("it's", "'it''s'"), ("a\\b", "E'a\\\\b'"),
        ("'\\'", "E'''\\\\'''"), ("line\nbreak", "'line\nbreak'"), ("é🔑", "'é🔑'"),
        ("e\u{301}'", "'e\u{301}'''"),
    ])
    func literals(text: String, literal: String) {
        #expect(SQLText.literal(text) == literal)
    }

    @Test(arguments: [("order", "\"order\""), ("a\"b", "\"a\"\"b\""), ("", "\"\"")])
    func identifiers(name: String, quoted: String) {
        #expect(SQLText.identifier(name) == quoted)
    }

    // Known answers of FNV-1a with 64 bits.
    @Test(
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] as [(String, UInt64)])
    func hashes(text: String, hash: UInt64) {
        #expect(ViewDefinition.hash(text) == hash)
    }

    private static func view(
        _ name: String = "v", _ comment: String = "c", column: String = "a",
        expression: String = "1", about: String? = "d"
    ) -> ViewDefinition {
        .view(name, comment, [ViewColumn(column, expression, about)], from: "t")
    }

    @Test func aChangeOfAnyPartChangesTheMark() {
        let variants = [
            ViewDefinitionTests.view(), ViewDefinitionTests.view("w"),
            ViewDefinitionTests.view("v", "other"), ViewDefinitionTests.view(column: "b"),
            ViewDefinitionTests.view(expression: "2"), ViewDefinitionTests.view(about: "e"),
            ViewDefinitionTests.view(about: nil),
        ]
        #expect(Set(variants.map(\.mark)).count == variants.count)
        #expect(ViewDefinitionTests.view().mark == ViewDefinitionTests.view().mark)
        for view in variants {
            #expect(view.mark.utf8.count == "[definition 0123456789abcdef]".utf8.count)
        }
    }

    @Test func aViewIsMadeAndDescribed() {
        #expect(
            ViewDefinitionTests.view().sql.hasPrefix(
                """
                CREATE OR REPLACE VIEW v AS
                SELECT
                    1 AS "a"
                FROM t;
                COMMENT ON VIEW v IS 'c [definition
                """))
        #expect(ViewDefinitionTests.view().sql.hasSuffix("COMMENT ON COLUMN v.\"a\" IS 'd'"))
    }
}

// Goal: what dashboards read stands in the schema that is theirs. Method: the names.
struct GrafanaViewsTests {
    @Test func theSchemaComesFirst() throws {
        let first = try #require(GrafanaViews.all.first)
        #expect(first.kind == .schema)
        #expect(first.sql.contains("COMMENT ON SCHEMA grafana IS"))
        for definition in GrafanaViews.all.dropFirst() {
            #expect(definition.kind != .schema)
            #expect(definition.name.hasPrefix("grafana."))
        }
    }
}

// Goal: the catalogue is complete and depends on the promoted attributes only. Method: compare
// catalogues.
struct ViewCatalogueTests {
    private static let promoted = [
        PromotedAttribute(signal: .logs, key: "a", type: .int, columnName: "a"),
        PromotedAttribute(signal: .spans, key: "it's", type: .double, columnName: "user"),
        PromotedAttribute(signal: .spans, key: "twice", type: .int, columnName: "twice"),
        PromotedAttribute(signal: .spans, key: "twice", type: .string, columnName: "twice_string"),
    ]

    @Test func namesAreDifferentAndFit() {
        let names = ViewCatalogue.definitions(promoted: []).map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.utf8.count <= 63 })
    }

    @Test func aPromotionChangesOnlyWhatShowsIt() {
        let before = ViewCatalogue.definitions(promoted: [])
        let after = ViewCatalogue.definitions(
            promoted: ViewCatalogueTests.promoted.filter { $0.signal == .logs })
        let changed = zip(before, after).filter { $0.mark != $1.mark }.map(\.0.name)
        #expect(
            changed == ["otel_log_attrs_int", "otel_log_attrs_other", "v_otel_logs_enriched"])
        #expect(before.map(\.name) == after.map(\.name))
    }

    @Test func aKeyWithTwoColumnsIsOneMember() throws {
        let merged = MergedAttributes.ofFact(.spans, promoted: ViewCatalogueTests.promoted)
        #expect(
            merged.contains(
                "'twice', COALESCE(to_jsonb(fact.\"twice\"), to_jsonb(fact.\"twice_string\"))"))
        #expect(merged.contains("'it''s', otel_double_json(fact.\"user\")"))
        #expect(!merged.contains("\"a\""))
    }

    @Test(arguments: [(0, 0), (1, 1), (48, 1), (49, 2), (97, 3)])
    func columnsAreMergedInCallsThatAFunctionCanTake(columnCount: Int, callCount: Int) {
        let promoted = (0..<columnCount).map {
            PromotedAttribute(signal: .logs, key: "k\($0)", type: .int, columnName: "k\($0)")
        }
        let merged = MergedAttributes.ofFact(.logs, promoted: promoted)
        #expect(merged.split(separator: "jsonb_build_object").count == callCount + 1)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Postgres
import Rows
import Testing

@testable import Query

// Goal: every place where a value may be is looked into, and no value gets into the text. What the
// conditions are true of is tested against a database (Tests/Integration/test_query_filters.py).

@Suite struct FilterCompilerTests {
    private static let catalogue = FieldCatalogue([
        PromotedAttribute(signal: .spans, key: "n", type: .int, columnName: "n"),
        PromotedAttribute(signal: .spans, key: "n", type: .double, columnName: "n double"),
        PromotedAttribute(signal: .spans, key: "s", type: .string, columnName: "s"),
        PromotedAttribute(signal: .logs, key: "t", type: .string, columnName: "t"),
    ])

    private func sql(_ filter: Filter, of subject: FilterSubject = .spans) -> String {
        var statement = SQLStatement()
        return FilterCompiler(subject, FilterCompilerTests.catalogue)
            .condition(filter, in: &statement)
    }

    private func attribute(_ key: String, _ test: FilterTest) -> Filter {
        .condition(.attribute(.span, key: key), test)
    }

    @Test func combinations() {
        #expect(sql(.all([])) == "true")
        #expect(sql(.any([])) == "false")
        #expect(sql(.not(.all([]))) == "(true) IS NOT TRUE")
        #expect(sql(.any([.all([]), .any([]), .all([.all([])])])) == "(true OR false OR true)")
    }

    @Test func anAttributeIsLookedForInItsColumnAndBeside() {
        #expect(
            sql(attribute("s", .oneOf([.string("x'")])))
                == #"(fact."s" = ANY ($1) OR fact.attributes @> ANY ($2::jsonb[]))"#)
        #expect(
            sql(attribute("s", .oneOf([.int(1)]))) == "(fact.attributes @> ANY ($1::jsonb[]))")
        #expect(
            sql(attribute("n", .order(.gt, .int(1))))
                == #"(fact."n" > $1 OR fact."n double" > $2 OR (otel_value_int(fact.attributes -> "#
                + "$3) > $4 OR otel_value_double(fact.attributes -> $3) > $5))")
        // A column of log records is none of spans.
        #expect(sql(attribute("t", .exists)) == "(fact.attributes ? $1)")
    }

    @Test func whatIsAbsentIsNotDifferent() {
        #expect(
            sql(attribute("s", .noneOf([.string("x")])))
                == #"((fact."s" IS NOT NULL OR fact.attributes ? $1) AND ((fact."s" = ANY ($2) OR "#
                + "fact.attributes @> ANY ($3::jsonb[]))) IS NOT TRUE)")
    }

    @Test func resourcesAreLookedUpByTheirIndex() {
        #expect(
            sql(.condition(.attribute(.resource, key: "k"), .oneOf([.string("v")])))
                == "fact.resource_id IN (SELECT typed.resource_id FROM otel_resource_attrs_string"
                + " AS typed WHERE typed.key_id = (SELECT key_id FROM attribute_keys WHERE key ="
                + " $1) AND typed.value = ANY ($2) AND left(typed.value, 200) = ANY ($3))")
        #expect(
            sql(.condition(.attribute(.datapoint, key: "k"), .oneOf([.bool(true)])), of: .series)
                .hasPrefix(
                    "series.series_id IN (SELECT typed.series_id FROM otel_metric_series_attrs_bool"
                ))
    }

    @Test(arguments: [
        (FilterValue.int(5), [#"{"k":5}"#, #"{"k":5.0}"#]),
        (.double(5), [#"{"k":5}"#, #"{"k":5.0}"#]), (.double(0.25), [#"{"k":0.25}"#]),
        (.int((1 << 53) + 1), [#"{"k":9007199254740993}"#]),
        (.double(1e300), [#"{"k":{"$double":"1e+300"}}"#]),
        (.double(1e-7), [#"{"k":{"$double":"1e-07"}}"#]), (.string("\"☃"), [#"{"k":"\"☃"}"#]),
        (.bool(false), [#"{"k":false}"#]),
    ])
    func formsInJSON(_ value: FilterValue, _ forms: [String]) {
        #expect(ValueTest(.oneOf([value])).forms(of: "k") == forms)
    }
}

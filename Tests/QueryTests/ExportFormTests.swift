// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Query

@Suite struct ExportFormTests {
    /// What one record of text fields looks like.
    private static func csv(_ fields: [String?]) -> String {
        var writer = CSVWriter()
        writer.record { writer in
            for field in fields { writer.field("name", word: field) }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            (["a", "b"], "a,b\r\n"), ([nil, "", nil], ",\"\",\r\n"), (["a,b"], "\"a,b\"\r\n"),
            (["say \"it\""], "\"say \"\"it\"\"\"\r\n"),
            (["a\nb", "c\rd"], "\"a\nb\",\"c\rd\"\r\n"),
            (["=1+1", " a "], "=1+1, a \r\n"), (["ü"], "ü\r\n"),
        ] as [([String?], String)])
    func textIsQuotedWhereItHasToBe(_ fields: [String?], _ line: String) {
        #expect(ExportFormTests.csv(fields) == line)
    }

    private static func record(to writer: inout some RecordWriter) {
        writer.record { writer in
            writer.field("number", number: -1)
            writer.field("digits", digits: .max)
            writer.field("truth", truth: true)
            writer.field("object", json: Array("{\"a\": 1}".utf8))
            writer.field("nothing", json: nil)
            writer.field("value", json: Array("1".utf8), text: nil)
            writer.field("double", double: -0.5)
            writer.field("none", double: nil)
            writer.field("infinite", double: -.infinity)
            writer.lacks(["one", "two"])
            unsafe [UInt8(0xab), 0x0f].withUnsafeBytes {
                writer.field("hex", hex: unsafe ByteSlice($0))
            }
        }
    }

    @Test func recordsHaveTheSameFieldsInBothForms() {
        var json = JSONWriter()
        ExportFormTests.record(to: &json)
        ExportFormTests.record(to: &json)
        let line =
            "{\"number\":-1,\"digits\":\"9223372036854775807\",\"truth\":true,"
            + "\"object\":{\"a\": 1},\"nothing\":null,\"value\":1,\"double\":-0.5,"
            + "\"none\":null,\"infinite\":\"-Infinity\",\"hex\":\"ab0f\"}\n"
        #expect(String(decoding: json.bytes, as: UTF8.self) == line + line)
        var csv = CSVWriter()
        ExportFormTests.record(to: &csv)
        #expect(
            String(decoding: csv.bytes, as: UTF8.self)
                == "-1,9223372036854775807,true,\"{\"\"a\"\": 1}\",,1,-0.5,,-Infinity,,,ab0f\r\n")
    }

    @Test(
        arguments: [
            (nil, [], ExportFormat.ndjson), ("csv", ["application/x-ndjson"], .csv),
            ("otlp-json", [], .otlpJSON), (nil, ["text/html, text/csv;q=0.5"], .csv),
            (nil, ["*/*"], .ndjson), (nil, ["application/x-ndjson, text/csv"], .ndjson),
        ] as [(String?, [String], ExportFormat)])
    func formatsAreNamedOrAccepted(
        _ name: String?, _ accepted: [String], _ format: ExportFormat
    ) throws {
        #expect(try ExportFormat(name, accepted: accepted) == format)
    }

    @Test(arguments: ["", "json", "CSV"])
    func otherFormatsAreRefused(_ name: String) {
        #expect(throws: QueryFailure.self) { try ExportFormat(name, accepted: []) }
    }

    // Goal: what is fetched at a time stays near what is wanted, whatever rows are like.
    @Test func rowsAreFetchedByTheirBytes() {
        var batch = FetchBatch()
        let first = batch.rowCount
        batch.note(sizeBytes: 1, rowCount: first)
        #expect(batch.rowCount == 2 * first)
        for _ in 0..<10 { batch.note(sizeBytes: 100_000, rowCount: batch.rowCount) }
        #expect(batch.rowCount == FetchBatch.rowCountMax)
        batch.note(sizeBytes: 1 << 30, rowCount: 1_000)
        #expect(batch.rowCount == 1)
        batch.note(sizeBytes: 0, rowCount: 0)
        #expect(batch.rowCount == 1)
    }

    @Test(
        arguments: [
            ("", []), ("{}", []), ("{\"a\": 1, \"b\": {\"c\": 2}}", ["a", "b"]),
            ("{\"a\": \"x\\\":{\", \"b\": [{\"c\": \":\"}], \"d\": null}", ["a", "b", "d"]),
        ] as [(String, [String])])
    func namesOfMembersAreThoseOfTheObjectItself(_ object: String, _ names: [String]) {
        var found: [String] = []
        unsafe Array(object.utf8).withUnsafeBytes {
            SemanticTypes.eachName(in: unsafe ByteSlice($0)) { found.append($0.string) }
        }
        #expect(found == names)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Rows
import Testing

@testable import Postgres

// Goal: names of columns are what people expect, never collide, and are never cut by the server.
struct ColumnNameTests {
    @Test(
        arguments: [
            ("http.request.method", .string, false, [], "http_request_method"),
            ("Http.Request-Method", .string, false, [], "http_request_method"),
            ("größe", .int, false, [], "gr__e"),
            ("9lives", .int, false, [], "attr_9lives"),
            ("_hidden", .int, false, [], "attr__hidden"),
            ("", .int, false, [], "attr_"),
            ("name", .string, false, ["name"], "attr_name"),
            ("http.request.size", .double, true, ["http_request_size"], "http_request_size_double"),
            ("name", .int, true, ["name", "attr_name"], "name_int"),
            ("a.b", .string, false, ["a_b"], "attr_a_b"),
            ("select", .string, false, [], "select"),
        ] as [(String, AttributeType, Bool, Set<String>, String)])
    func names(
        key: String, type: AttributeType, isFurtherType: Bool, taken: Set<String>, expected: String
    ) {
        let name = ColumnName.name(
            key: key, type: type, isFurtherType: isFurtherType, taken: taken)
        #expect(name == expected)
    }

    @Test(arguments: [62, 63, 64, 200])
    func longNamesEndInAHash(sizeBytes: Int) {
        let key = String(repeating: "k", count: sizeBytes)
        let name = ColumnName.name(key: key, type: .int, isFurtherType: false, taken: [])
        let isWhole = sizeBytes <= ColumnName.sizeBytesMax
        #expect((name == key) == isWhole)
        #expect(name.utf8.count == min(sizeBytes, ColumnName.sizeBytesMax))
        guard !isWhole else { return }
        let parts = name.split(separator: "_")
        #expect(parts.count == 2 && parts[1].count == 8)
        #expect(parts[1].allSatisfy { $0.isHexDigit })
        // Names with the same beginning differ in the hash.
        let other = ColumnName.name(key: key + "x", type: .int, isFurtherType: false, taken: [])
        #expect(other.prefix(54) == name.prefix(54) && other != name)
    }

    @Test func anyNumberOfCollisionsIsResolved() {
        var taken: Set<String> = []
        for index in 0..<300 {
            // Each writes the same with other separators.
            let key = (0..<9).map { "a" + (index >> $0 & 1 == 1 ? "." : "-") }.joined()
            let name = ColumnName.name(key: key, type: .string, isFurtherType: false, taken: taken)
            #expect(name.utf8.count <= ColumnName.sizeBytesMax)
            #expect(taken.insert(name).inserted)
        }
    }
}

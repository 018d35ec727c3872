// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Query

@Suite struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func commasStandBetweenMembersAndElementsOnly() {
        let text = written { writer in
            writer.object { writer in
                writer.key("a")
                writer.list {
                    $0.number(1)
                    $0.number(2)
                    $0.object { _ in }
                }
                writer.key("b")
                writer.list { _ in }
                writer.member("c", "d")
                writer.member("e", nil as String?)
            }
        }
        #expect(text == #"{"a":[1,2,{}],"b":[],"c":"d","e":null}"#)
    }

    @Test(arguments: [
        ("", #""""#), ("a\"b", #""a\"b""#), ("\\", #""\\""#), ("\u{1f}\n", #""\u001f\u000a""#),
        (" \u{7f}é☃", "\" \u{7f}é☃\""), ("\"\"", #""\"\"""#),
    ])
    func textIsEscaped(_ text: String, _ json: String) {
        #expect(written { $0.text(text) } == json)
    }

    @Test func numbersKeepEveryDigit() {
        #expect(written { $0.number(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.digits(Int64.max) } == #""9223372036854775807""#)
        #expect(written { $0.digits(UInt64.max) } == #""18446744073709551615""#)
        #expect(written { $0.decimal(0.1) } == "0.1")
        #expect(written { $0.decimal(.nan) } == "null")
    }

    @Test func bytesAreHexadecimal() {
        let bytes: [UInt8] = [0, 0x0f, 0xa0, 0xff]
        let text = unsafe bytes.withUnsafeBytes { raw in
            let slice = unsafe ByteSlice(raw)
            return written { $0.hex(slice) }
        }
        #expect(text == #""000fa0ff""#)
    }

    @Test func aWriterCanBeginAnew() {
        var writer = JSONWriter()
        writer.number(1)
        writer.removeAll()
        writer.number(2)
        #expect(writer.bytes == Array("2".utf8))
    }
}

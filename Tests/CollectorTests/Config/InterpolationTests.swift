// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

@Suite struct InterpolationTests {
    private let interpolation = Interpolation(
        environment: ["NAME": "value", "EMPTY": "", "TRICKY": "${env:NAME}", "DIR": "/run/secrets"]
    ) { (path) throws(TextFile.Fault) in
        let files = [
            "/secret": "s3cret\n", "/two": "a\nb\n\n", "/crlf": "x\r\n",
            "/run/secrets/db": "nested",
            "/nul": "a\u{0}b", "/tricky": "${file:/secret}",
        ]
        guard let text = files[path] else {
            throw TextFile.Fault(description: "No such file or directory")
        }
        return text
    }

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("$", "$"), ("$$", "$$"), ("a}b", "a}b"), ("$NAME", "$NAME"),
        ("${env:NAME}", "value"), ("<${env:NAME}${env:NAME}>", "<valuevalue>"),
        ("${env:EMPTY}", ""),
        ("${file:/secret}", "s3cret"), ("${file:/two}", "a\nb\n"), ("${file:/crlf}", "x"),
        ("${file:${env:DIR}/db}", "nested"),
        ("$${env:NAME}", "${env:NAME}"), ("$$${env:NAME}", "$${env:NAME}"),
        ("${env:TRICKY}", "${env:NAME}"), ("${file:/tricky}", "${file:/secret}"),
    ])
    func expands(text: String, expected: String) throws {
        #expect(try interpolation.expand(text) == expected)
    }

    @Test(arguments: [
        ("${env:MISSING}", "MISSING is not set"),
        ("${env:}", "cannot name"),
        ("${env:NAME:-default}", "cannot name"),
        ("${NAME}", "no reference"),
        ("${}", "no reference"),
        ("${env:NAME", "not closed"),
        ("a${", "not closed"),
        ("${file:relative}", "not an absolute path"),
        ("${file:/missing}", "/missing cannot be read: No such file or directory"),
        ("${file:/nul}", "zero byte"),
    ])
    func explains(text: String, problem: String) {
        let fault = #expect(throws: ValueFault.self) { try interpolation.expand(text) }
        #expect(fault?.problem.contains(problem) == true, "\(String(describing: fault))")
    }
}

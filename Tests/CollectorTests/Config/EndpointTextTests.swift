// SPDX-License-Identifier: Apache-2.0
import Base
import Socket
import Testing

@testable import Collector

@Suite struct EndpointTextTests {
    @Test(
        arguments: [
            ("", nil),
            ("127.0.0.1:4317", .tcp(host: "127.0.0.1", port: 4317)),
            ("0.0.0.0:0", .tcp(host: "0.0.0.0", port: 0)),
            ("localhost:65535", .tcp(host: "localhost", port: 65_535)),
            ("otlp.example-1.org:1", .tcp(host: "otlp.example-1.org", port: 1)),
            ("[::1]:4317", .tcp(host: "::1", port: 4317)),
            ("[::]:4317", .tcp(host: "::", port: 4317)),
            ("[fe80::1]:4317", .tcp(host: "fe80::1", port: 4317)),
            ("unix:/run/starling/otlp.sock", .unix(path: "/run/starling/otlp.sock")),
        ] as [(String, Endpoint?)])
    func reads(text: String, expected: Endpoint?) throws {
        let endpoint = try Endpoint.parse(text)
        #expect(endpoint == expected)
        #expect((endpoint?.description ?? "") == text)
    }

    // Each mistake gets a line that could be copied.
    @Test(arguments: [
        (":4317", "127.0.0.1:4317"),
        ("4317", "127.0.0.1:4317"),
        ("localhost", "localhost:4317"),
        ("::1:4317", "[::1]:4317"),
        ("[::1]", "0 lets the kernel choose"),
        ("[localhost]:4317", "[::1]:4317"),
        ("[::g]:4317", "[::1]:4317"),
        ("http://127.0.0.1:4317", "127.0.0.1:4317"),
        ("127.0.0.1:65536", "1 to 65535"),
        ("127.0.0.1:-1", "1 to 65535"),
        ("127.0.0.1:", "1 to 65535"),
        ("127.0.0.1:http", "1 to 65535"),
        ("300.0.0.1:4317", "127.0.0.1:4317"),
        ("127.1:4317", "127.0.0.1:4317"),
        ("*:4317", "0.0.0.0:4317"),
        ("ho st:4317", "0.0.0.0:4317"),
        ("unix:otlp.sock", "unix:/run/starling/otlp.sock"),
        ("unix:", "unix:/run/starling/otlp.sock"),
        ("unix:/", "unix:/run/starling/otlp.sock"),
    ])
    func explains(text: String, remedy: String) {
        let fault = #expect(throws: ValueFault.self) { try Endpoint.parse(text) }
        #expect(fault?.remedy.contains(remedy) == true, "\(String(describing: fault))")
    }

    @Test func socketPathFitsTheKernel() throws {
        let longest = "/" + String(repeating: "a", count: 106)
        #expect(try Endpoint.parse("unix:" + longest) == .unix(path: longest))
        #expect(throws: ValueFault.self) { try Endpoint.parse("unix:" + longest + "a") }
    }
}

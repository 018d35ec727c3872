// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

private func withText<R>(_ text: String, _ body: (ByteSlice) throws -> R) rethrows -> R {
    try unsafe Array(text.utf8).withUnsafeBytes { try body(unsafe ByteSlice($0)) }
}

@Suite struct RequestHeadTests {
    @Test(arguments: [
        ("application/grpc", true), ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true), ("application/grpc+proto;x=y", true),
        ("application/grpc+json", false), ("application/grpcx", false),
        ("application/grpc+protox", false),
        ("application/json", false), ("", false), ("application/grp", false),
    ])
    func contentType(text: String, expected: Bool) {
        #expect(withText(text) { RequestHead.isGRPC(contentType: $0) } == expected)
    }

    @Test(
        arguments: [
            ("1H", .nanoseconds(3_600_000_000_000)), ("2M", .nanoseconds(120_000_000_000)),
            ("3S", .nanoseconds(3_000_000_000)), ("4m", .nanoseconds(4_000_000)),
            ("2992404u", .nanoseconds(2_992_404_000)), ("99999999n", .nanoseconds(99_999_999)),
            ("99999999H", .nanoseconds(.max)), ("0S", .nanoseconds(0)),
            ("", .malformed), ("5", .malformed), ("S", .malformed), ("123456789S", .malformed),
            ("1x", .malformed), ("-1S", .malformed), ("1.5S", .malformed), ("1 S", .malformed),
        ] as [(String, RequestHead.Timeout)])
    func timeout(text: String, expected: RequestHead.Timeout) {
        #expect(withText(text) { RequestHead.Timeout.parse($0) } == expected)
    }

    @Test func eachServedMethodHasItsPath() {
        for signal in Signal.allCases {
            let path = "\(Route.path(of: signal))"
            #expect(withText(path) { Route.find(path: $0) } == .export(signal))
            #expect(withText(path + "x") { Route.find(path: $0) } == nil)
            #expect(withText(String(path.dropLast())) { Route.find(path: $0) } == nil)
        }
    }
}

@Suite struct AnswerTests {
    @Test(arguments: [
        ("plain text", "plain text"), ("100 %", "100 %25"), ("tab\there", "tab%09here"),
        ("é", "%C3%A9"), ("~ ", "~ "), ("\u{7f}", "%7F"),
    ])
    func messagesArePercentEncoded(text: String, expected: String) {
        #expect(Answer.percentEncoded(text) == expected)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import NIOHTTP1
import Testing

@testable import Web

// Goal: the head of a request decides what it decides, and an outcome looks the same in both
// encodings. Method: tables.

@Suite struct RequestJudgeTests {
    private static let types: [(String?, ExportEncoding?)] = [
        ("application/x-protobuf", .protobuf), ("application/json", .json),
        ("application/json; charset=utf-8", .json), ("application/json;charset=utf-8", .json),
        (" Application/X-Protobuf ", .protobuf), ("application/json ;a=b", .json), (nil, nil),
        ("", nil), ("application/protobuf", nil), ("application/jsonl", nil), ("text/json", nil),
        ("application/x-protobuf, application/json", nil),
    ]

    @Test(arguments: types)
    func contentTypes(text: String?, encoding: ExportEncoding?) {
        #expect(RequestJudge.encoding(text) == encoding)
    }

    private static let paths: [(String, Signal?)] = [
        ("/v1/traces", .traces), ("/v1/metrics", .metrics), ("/v1/logs", .logs),
        ("/v1/logs?x=/v1/traces", .logs), ("/v1/logs?", .logs), ("/v1/logs/", nil),
        ("v1/logs", nil),
        ("//v1/logs", nil), ("/v1/LOGS", nil), ("/", nil), ("", nil), ("*", nil),
        ("http://host/v1/logs", .logs), ("https://host:1/v1/logs?a", .logs),
        ("http:///v1/logs", .logs),
        ("http://host", nil), ("ftp://host/v1/logs", nil), ("http:/v1/logs", nil),
        ("/v1/logs#x", nil),
    ]

    @Test(arguments: paths)
    func signals(path: String, signal: Signal?) {
        #expect(RequestJudge.signal(target: path) == signal)
    }

    private func judge(_ settings: ExportServerSettings) -> RequestJudge {
        RequestJudge(settings: settings, authenticator: Doorkeeper(), retryDelayMs: { 1_000 })
    }

    /// What the head says; nil where it is not accepted.
    private func accepted(
        _ headers: HTTPHeaders, _ settings: ExportServerSettings = .init()
    ) -> ExportHead? {
        let verdict = judge(settings).judge(
            HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v1/traces", headers: headers),
            certificate: nil, peer: { "" })
        guard case .accept(let head, nil) = verdict else { return nil }
        return head
    }

    @Test func whatAHeadSays() {
        let head = ExportHead(
            signal: .traces, encoding: .json, isCompressed: true, contentLength: 7,
            expectsContinue: true)
        #expect(
            accepted([
                "Content-Type": "application/json", "Content-Encoding": "GZip",
                "Content-Length": "7", "Expect": "100-Continue",
            ]) == head)
    }

    @Test(arguments: [("0", true), ("1000", true), ("1001", false)])
    func sizesOnBothSides(length: String, isTaken: Bool) {
        var settings = ExportServerSettings()
        settings.requestSizeBytesMax = 1_000
        let headers: HTTPHeaders = ["content-type": "application/json", "content-length": length]
        #expect((accepted(headers, settings) != nil) == isTaken)
    }

    @Test func everyOriginCanBeAllowed() {
        var settings = ExportServerSettings()
        settings.allowedOrigins = ["*"]
        let judge = self.judge(settings)
        #expect(
            judge.originHeaders(["origin": "https://a"])["access-control-allow-origin"] == ["*"])
        #expect(judge.originHeaders([:]).isEmpty)
    }
}

@Suite struct HTTPAnswerTests {
    @Test(arguments: [(1, "1"), (999, "1"), (1_000, "1"), (1_001, "2"), (5_000, "5")])
    func delaysAreWholeSeconds(delayMs: Int, seconds: String) {
        let answer = HTTPAnswer.of(.retry(afterMs: delayMs, message: "later"), .logs, .json)
        #expect(answer.status == .serviceUnavailable)
        #expect(answer.headers["retry-after"] == [seconds])
        #expect(answer.body == Array(#"{"code":14,"message":"later"}"#.utf8))
    }

    @Test func whoSendsTooMuchIsToldWhenToComeBack() {
        let answer = HTTPAnswer.of(.throttled(afterMs: 1_500, message: "slower"), .logs, .json)
        #expect(answer.status == .tooManyRequests)
        #expect(answer.headers["retry-after"] == ["2"])
        #expect(answer.body == Array(#"{"code":8,"message":"slower"}"#.utf8))
    }

    private static let refusals: [(Refusal.Code, UInt, UInt8)] = [
        (.invalidArgument, 400, 3), (.corruptEncoding, 400, 3), (.tooLarge, 413, 8),
    ]

    @Test(arguments: refusals)
    func refusalsAreStatuses(code: Refusal.Code, status: UInt, number: UInt8) {
        let answer = HTTPAnswer.of(.refused(Refusal(code, "no")), .traces, .protobuf)
        #expect(answer.status.code == status)
        #expect(answer.body == [8, number, 0x12, 2] + Array("no".utf8))
        #expect(answer.contentType == "application/x-protobuf")
    }

    private static let names: [(Signal, String)] = [
        (.traces, "rejectedSpans"), (.logs, "rejectedLogRecords"), (.metrics, "rejectedDataPoints"),
    ]

    @Test(arguments: names)
    func partialSuccessInJSON(signal: Signal, name: String) {
        let answer = HTTPAnswer.of(
            .partial(rejectedItemCount: 300, message: "\"x\""), signal, .json)
        #expect(answer.status == .ok)
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == #"{"partialSuccess":{"\#(name)":"300","errorMessage":"\"x\""}}"#)
    }

    @Test func partialSuccessInProtobuf() {
        let answer = HTTPAnswer.of(.partial(rejectedItemCount: 300, message: "x"), .logs, .protobuf)
        #expect(answer.body == [0x0a, 6, 8, 0xac, 2, 0x12, 1, 0x78])
    }

    @Test func messagesAreBounded() {
        let answer = HTTPAnswer.error(.badRequest, String(repeating: "x", count: 10_000), .json)
        #expect(answer.body.count < Limits.messageSizeBytesMax + 40)
    }

    private static let starts: [(String, Bool?)] = [
        ("", nil), ("P", nil), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", nil), ("PO", false), ("G", false),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxyz", true),
        ("PRI * HTTP/1.1\r\n", false), ("\u{16}\u{3}", false),
    ]

    @Test(arguments: starts)
    func prefaces(text: String, isHTTP2: Bool?) {
        #expect(ProtocolSniffer.isHTTP2(Array(text.utf8)) == isHTTP2)
    }
}

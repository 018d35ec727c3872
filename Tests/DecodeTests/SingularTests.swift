// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Decode

// Goal: a sub-message of which there may be one is refused when there are two, because protobuf-c
// merges them in quadratic time; the same for the members of a oneof. Method: each such field once,
// then twice.

private struct SingularCase: Sendable, CustomTestStringConvertible {
    let name: String
    let signal: Signal
    /// Writes a request in which the field occurs as often as given.
    let build: @Sendable (_ count: Int) -> [UInt8]
    var testDescription: String { name }
}

private func times(_ count: Int, _ body: () -> Void) {
    for _ in 0..<count { body() }
}

private func metric(_ build: (inout WireWriter) -> Void) -> [UInt8] {
    request { $0.message(2, build) }
}

private let singularCases: [SingularCase] =
    Signal.allCases.flatMap { signal in
        [
            SingularCase(name: "resource of \(signal)", signal: signal) { count in
                WireWriter { $0.message(1) { group in times(count) { group.message(1) } } }.bytes
            },
            SingularCase(name: "scope of \(signal)", signal: signal) { count in
                request { scope in times(count) { scope.message(1) } }
            },
        ]
    } + [
        SingularCase(name: "status", signal: .traces) { count in
            request { $0.span { span in times(count) { span.message(15) } } }
        },
        SingularCase(name: "body", signal: .logs) { count in
            request { $0.message(2) { record in times(count) { record.message(5) } } }
        },
        SingularCase(name: "attribute value", signal: .traces) { count in
            request { $0.span { $0.message(9) { pair in times(count) { pair.message(2) } } } }
        },
        SingularCase(name: "array", signal: .logs) { count in
            request {
                $0.message(2) { $0.message(5) { value in times(count) { value.message(5) } } }
            }
        },
        SingularCase(name: "list of pairs", signal: .logs) { count in
            request {
                $0.message(2) { $0.message(5) { value in times(count) { value.message(6) } } }
            }
        },
        SingularCase(name: "positive", signal: .metrics) { count in
            metric {
                $0.message(10) { $0.message(1) { point in times(count) { point.message(8) } } }
            }
        },
        SingularCase(name: "negative", signal: .metrics) { count in
            metric {
                $0.message(10) { $0.message(1) { point in times(count) { point.message(9) } } }
            }
        },
    ]
    + [5, 7, 9, 10, 11].map { data in
        SingularCase(name: "metric data \(data)", signal: .metrics) { count in
            metric { metric in times(count) { metric.message(data) } }
        }
    }

@Test(arguments: singularCases)
private func singularMessages(_ singular: SingularCase) {
    #expect(refusalMessage(singular.build(0), singular.signal) == nil)
    #expect(refusalMessage(singular.build(1), singular.signal) == nil)
    let message = refusalMessage(singular.build(2), singular.signal)
    #expect(message?.contains(WireFault.repeatedSingular.rawValue) == true)
}

@Test(arguments: [5, 7, 9, 10, 11], [5, 7, 9, 10, 11])
func anyTwoMembersOfMetricDataAreRefused(first: Int, second: Int) {
    let bytes = metric {
        $0.message(first)
        $0.message(second)
    }
    #expect(result(bytes, .metrics) == .refused(.invalidArgument))
}

@Test(arguments: [(5, 6), (6, 5)])
func arrayAndListInOneValueAreRefused(first: Int, second: Int) {
    let value = WireWriter {
        $0.message(first)
        $0.message(second)
    }
    #expect(result(request(attributeValue: value.bytes)) == .refused(.invalidArgument))
}

// Different singular fields of one message do not exclude each other.
@Test func positiveAndNegativeBucketsTogetherAreValid() {
    let bytes = metric {
        $0.message(10) {
            $0.message(1) {
                $0.message(8)
                $0.message(9)
            }
        }
    }
    #expect(result(bytes, .metrics) == .decoded(itemCount: 1))
}

// Goal: scalars and strings may repeat, the last one wins, as in every protobuf parser.
@Test func lastScalarWins() throws {
    let value = WireWriter {
        $0.message(5) { $0.message(1) { $0.text(1, "lost") } }
        $0.text(1, "lost")
        $0.number(3, 7)
        $0.text(1, "kept")
    }
    let bytes = request {
        $0.span {
            $0.text(5, "second name")
            $0.message(9) {
                $0.text(1, "k")
                $0.bytes(2, value.bytes)
            }
        }
    }
    let export = try decode(bytes)
    let span = export.resourceSpans[0].scopeSpans[0].spans[0]
    #expect(span.name.string == "second name")
    guard case .string(let text) = span.attributes[0].value?.kind else {
        Issue.record("not a string")
        return
    }
    #expect(text.string == "kept")
}

// Goal: the quadratic pattern is turned away after the second resource. Method: 80,000 of them,
// which cost protobuf-c 9 s; the refusal names the place where the second one begins.
@Test func repeatedResourceIsRefusedAtTheSecondOne() {
    let resource = WireWriter { $0.message(1) { $0.message(1) } }.bytes
    let group = [[UInt8]](repeating: resource, count: 80_000).flatMap { $0 }
    let bytes = WireWriter { $0.bytes(1, group) }
    let prefixSizeBytes = bytes.bytes.count - group.count
    #expect(
        refusalMessage(bytes.bytes)
            == "not a valid OTLP message: \(WireFault.repeatedSingular.rawValue) at byte "
            + "\(prefixSizeBytes + resource.count + 1)")
}

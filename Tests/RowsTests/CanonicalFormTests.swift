// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import OTLPFixtures
import Rows
import Testing

// Goal: a hash says exactly what the content is, and every daemon says the same. Method: hashes
// computed elsewhere (Python's hashlib over the documented layout), and pairs of contents that must
// or must not have the same one.

private func resourceHash(_ build: (inout WireWriter) -> Void) throws -> String {
    let bytes = WireWriter { $0.message(1) { $0.message(1, build) } }.bytes
    return try Resolved(.traces, bytes).builder.missing.resources.entries[0].hash.hex
}

private func resourceHash(_ attributes: OTLPAttributes) throws -> String {
    try resourceHash { $0.attributes(1, attributes) }
}

@Test func resourceHashIsTheDocumentedOne() throws {
    let bytes = WireWriter { request in
        request.message(1) { envelope in
            envelope.text(3, "https://schema")
            envelope.message(1) { resource in
                resource.attributes(
                    1,
                    [
                        "service.name": .string("overridden"), "raw": .bytes([0, 1]),
                        "list": .array([.int(-1), .double(0.5)]),
                        "pairs": .pairs(["z": .empty, "a": .bool(true)]),
                        "service.name": .string("shop"),
                    ])
                resource.number(2, 3)
                resource.message(3) { entity in
                    entity.text(1, "https://e")
                    entity.text(2, "service")
                    entity.text(3, "service.name")
                }
            }
        }
    }.bytes
    let resolved = try Resolved(.logs, bytes)
    #expect(
        resolved.builder.missing.resources.entries.map { $0.hash.hex } == [
            "053c8e5575cff9d6f65a035d5735fda8749637605eaf90bce3801b4e499d5d3e"
        ])
}

@Test func anAbsentResourceIsAnEmptyOne() throws {
    let absent = try Resolved(.metrics, WireWriter { $0.message(1) }.bytes)
    let expected = "bf27003a7b9ffa11009a1c28e72467cc7feadd6c4c8dbbecea55b5f21c693ff7"
    #expect(absent.builder.missing.resources.entries.map { $0.hash.hex } == [expected])
    #expect(try resourceHash([:]) == expected)
}

@Test func scopeAndOperationHashesAreTheDocumentedOnes() throws {
    let bytes = WireWriter { request in
        for resource in [["service.name": .string("shop")], [:]] as [OTLPAttributes] {
            request.message(1) { envelope in
                envelope.message(1) { $0.attributes(1, resource) }
                envelope.message(2) { scope in
                    scope.message(1) {
                        $0.text(1, "library")
                        $0.text(2, "1.2")
                    }
                    scope.span(name: "GET /")
                }
            }
        }
    }.bytes
    let resolved = try Resolved(.traces, bytes)
    let missing = resolved.builder.missing
    #expect(
        missing.scopes.entries.map { $0.hash.hex } == [
            "7e81d70b2b1b52c0f7f87c0c9b73b356155b593c66c87fc5870a195eb7e5067f"
        ])
    #expect(
        missing.operations.entries.map { $0.hash.hex } == [
            "070bea5d316cfc6c93d308109879a01ba7879c0695a9a462a318f1a82942fdd0",
            "06872c81258bb8c97c8f2acbc527f09873dbbfc679139f2f547faeacbaa77e87",
        ])
    #expect(missing.operations.entries.map { $0.content.serviceName?.string } == ["shop", nil])
}

@Test func metricAndBoundsHashesAreTheDocumentedOnes() throws {
    let bytes = request { scope in
        scope.message(2) { metric in
            metric.text(1, "requests")
            metric.text(2, "how many")
            metric.text(3, "1")
            metric.message(7) { sum in
                sum.message(1) { $0.fixed64(3, baseUnixNs) }
                sum.number(2, 2)
                sum.number(3, 1)
            }
            metric.attributes(12, ["k": .string("v")])
        }
        scope.metric(kind: 9) { histogram in
            histogram.message(1) { point in
                point.double(7, 0.5)
                point.double(7, 10)
            }
        }
    }
    let resolved = try Resolved(.metrics, bytes)
    let missing = resolved.builder.missing
    #expect(
        missing.metrics.entries[0].hash.hex
            == "1c9ef9144a03fd58c8870e35cfa996fded6fcacff9d6b4d8acb0989670faee08")
    #expect(
        missing.metrics.entries[0].content.identityHash.hex
            == "7828fb328f6bd356a99ebd8a0edeedba88c7d7870d0ccdfe2ea6a94a91a3833e")
    #expect(
        missing.bounds.entries.map { $0.hash.hex } == [
            "fb115f049d8edc35afe726f7b0f32283b3d5e9736f6f67959e34c0f34674ba38"
        ])
}

@Test func seriesHashesAreTheDocumentedOnes() throws {
    let bytes = WireWriter { request in
        request.message(1) { envelope in
            for hasScope in [true, false] {
                envelope.message(2) { scope in
                    if hasScope { scope.message(1) }
                    scope.metric(kind: 5) { gauge in
                        gauge.message(1) { if hasScope { $0.attributes(7, ["code": .int(200)]) } }
                    }
                }
            }
        }
    }.bytes
    var resolved = try Resolved(.metrics, bytes)
    for (hash, id) in [
        (resolved.builder.missing.metrics.entries[0].hash, 7),
        (resolved.builder.missing.resources.entries[0].hash, 8),
        (resolved.builder.missing.scopes.entries[0].hash, 9),
    ] as [(ContentHash, Int64)] {
        resolved.builder.missing.metrics.learn(id: id, hash: hash)
        resolved.builder.missing.resources.learn(id: id, hash: hash)
        resolved.builder.missing.scopes.learn(id: id, hash: hash)
    }
    resolved.builder.learn()
    let resolution = resolved.builder.resolveSeries(of: resolved.box.export, at: 0)
    #expect(resolution == .resolved)
    #expect(
        resolved.builder.missing.series.entries.map { $0.hash.hex } == [
            "aed18a9cdc20b94ea8b917104889713fe2cc2673d6ef6e27bf49d9ece71e160d",
            "b68ff6238c9ab7522559a3ef1228d1564971579e1a8148d0ba2158bbc82e7687",
        ])
    #expect(resolved.builder.missing.series.entries.map { $0.content.scopeID } == [9, nil])
}

private let same: [(OTLPAttributes, OTLPAttributes)] = [
    (["a": .int(1), "b": .int(2)], ["b": .int(2), "a": .int(1)]),
    (["a": .int(1), "a": .int(2)], ["a": .int(2)]),
    (["a": .string("x"), "a": .int(2)], ["a": .int(2)]),
    (["a": .empty], ["a": .absent]),
    (["p": .pairs(["x": .int(1), "y": .int(2)])], ["p": .pairs(["y": .int(2), "x": .int(1)])]),
]

@Test(arguments: same)
func contentsThatAreTheSame(left: OTLPAttributes, right: OTLPAttributes) throws {
    #expect(try resourceHash(left) == resourceHash(right))
}

private let different: [OTLPAttributes] = [
    [:], ["a": .empty], ["a": .string("")], ["a": .bytes([])], ["a": .array([])],
    ["a": .pairs([:])],
    ["a": .string("1")], ["a": .int(1)], ["a": .double(1)], ["a": .bool(true)], ["a": .bool(false)],
    ["a": .int(0)], ["a": .double(0)], ["a": .double(-0.0)], ["a": .bytes(Array("1".utf8))],
    ["a": .array([.int(1)])], ["a": .array([.array([.int(1)])])], ["a": .array([.int(1), .empty])],
    ["a": .array([.int(1), .int(2)])], ["a": .array([.int(2), .int(1)])],
    ["a": .pairs(["": .int(1)])],
    ["b": .string("1")], ["ab": .string("c")], ["a": .string("bc")],
    ["a": .string("b"), "c": .string("")],
    ["a": .string(""), "b": .string("c")], ["": .string("abc")], ["a": .int(1), "b": .int(2)],
    ["a": .int(2), "b": .int(1)],
]

@Test func contentsThatDifferHaveDifferentHashes() throws {
    let hashes = try different.map { try resourceHash($0) }
    #expect(Set(hashes).count == different.count)
}

@Test func whatBelongsToADimensionBesideItsAttributesCounts() throws {
    let variants: [(inout WireWriter) -> Void] = [
        { _ in }, { $0.number(2, 1) }, { $0.message(3) }, { $0.message(3) { $0.text(1, "u") } },
        { $0.message(3) { $0.text(2, "u") } }, { $0.message(3) { $0.text(3, "u") } },
        { $0.message(3) { $0.text(4, "u") } },
        {
            $0.message(3)
            $0.message(3)
        },
    ]
    #expect(try Set(variants.map { try resourceHash($0) }).count == variants.count)
}

@Test func aResourceWithAnotherSchemaIsAnother() throws {
    let bytes = WireWriter { request in
        for schemaURL in ["", "a", "b", "a"] { request.message(1) { $0.text(3, schemaURL) } }
    }.bytes
    #expect(try Resolved(.logs, bytes).builder.missing.resources.count == 3)
}

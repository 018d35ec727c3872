// SPDX-License-Identifier: Apache-2.0
import Base
import OTLPFixtures
import Rows
import Testing

// Goal: what a batch has used is named, with runs of the same in one. Method: resources that
// differ, twice the same scope, and metrics whose names repeat.
struct UsedDimensionTests {
    @Test func everyUsedDimensionIsNamed() throws {
        let request = WireWriter { request in
            for resource in 0..<3 {
                request.message(1) { envelope in
                    envelope.message(1) {
                        $0.attributes(1, ["service.name": .string("service \(resource)")])
                    }
                    envelope.message(2) { scopeEnvelope in
                        scopeEnvelope.message(1) { $0.text(1, "scope") }
                        for name in ["a", "a", "b"] {
                            scopeEnvelope.metric(name: name, kind: 5) { data in
                                data.message(1) { $0.fixed64(3, baseUnixNs) }
                            }
                        }
                    }
                }
            }
        }
        var resolved = try Resolved(.metrics, request.bytes)
        resolved.learn()
        var counts: [UsedDimension: Int] = [:]
        var ids: [UsedDimension: Set<Int64>] = [:]
        resolved.builder.forEachUsed { kind, id in
            counts[kind, default: 0] += 1
            ids[kind, default: []].insert(id)
        }
        #expect(counts == [.resource: 3, .scope: 1, .metric: 6])
        #expect(ids.mapValues(\.count) == [.resource: 3, .scope: 1, .metric: 2])
        resolved.builder.beginBatch()
        resolved.builder.forEachUsed { _, _ in Issue.record("an empty batch uses nothing") }
    }
}

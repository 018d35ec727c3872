// SPDX-License-Identifier: Apache-2.0
package import Base

/// The requests that `starling send` sends, for those who measure what becomes of them.
package struct SampleRequests: Sendable {
    private let templates: [RequestTemplate]
    private let seed: UInt64

    /// `count` different requests of `itemCount` items each; the same `seed` makes the same ones.
    package init(_ signal: Signal, count: Int, itemCount: Int, seed: UInt64) {
        precondition(count > 0 && itemCount > 0)
        var source = TelemetryTemplates(seed: seed)
        templates = (0..<count).map { _ in source.request(signal, itemCount: itemCount) }
        self.seed = seed
    }

    /// Request number `index` as an Export message of OTLP; its items are as old as `unixNs` says.
    package func message(_ index: Int, unixNs: UInt64) -> [UInt8] {
        let template = templates[index % templates.count]
        return template.instantiate(
            seed: seed, firstSerial: index * template.itemCount, unixNs: unixNs)
    }
}

// SPDX-License-Identifier: Apache-2.0
import Base
import Decode
import Rows

@testable import Postgres

/// One daemon's view of dimensions: a row builder with its caches, and the flow that fills them.
struct Resolving: ~Copyable {
    var builder: RowBuilder
    private let budget = MemoryBudget(limitBytes: 1 << 30)

    struct Failure: Error {}

    init(_ change: (inout RowLimits) -> Void = { _ in }) {
        var limits = RowLimits()
        change(&limits)
        builder = RowBuilder(limits: limits, budget: budget)
    }

    func decode(_ request: Wire, _ signal: Signal) throws -> Export {
        var body = OwnedBytes(budget: budget)
        let isCopied = unsafe request.bytes.withUnsafeBytes {
            unsafe body.append(ByteSlice($0), limitBytes: 64 << 20)
        }
        guard isCopied else { throw Failure() }
        return try Decoder.decode(
            signal: signal, body: body.slice,
            limits: DecodeLimits(requestSizeBytesMax: 64 << 20), budget: budget)
    }

    /// Looks through `export` for what is missing, and leaves it in `builder.missing`.
    mutating func begin(_ export: borrowing Export) throws {
        builder.beginBatch()
        guard builder.resolveDimensions(of: export, at: 0) == .resolved else { throw Failure() }
    }

    /// The same for its series, once their parts are known.
    mutating func continueWithSeries(_ export: borrowing Export) throws {
        guard builder.resolveSeries(of: export, at: 0) == .resolved else { throw Failure() }
    }

    mutating func write(to session: Session) throws {
        try session.connection.writeDimensions(&builder.missing, deadlineNs: farDeadlineNs)
    }

    /// Everything: returns the ids of the series, in the order in which they were met.
    mutating func resolve(_ request: Wire, _ signal: Signal, on session: Session) throws -> [Int64]
    {
        let export = try decode(request, signal)
        try begin(export)
        try write(to: session)
        builder.learn()
        try continueWithSeries(export)
        try write(to: session)
        let ids = builder.missing.series.entries.map(\.id)
        builder.learn()
        return ids
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Decode

/// Where a walk over an export stands: how many parts of each level lie behind it.
struct Ordinals {
    var resource = 0
    var scope = 0
    var metric = 0
    /// Points of histograms with explicit bounds.
    var boundedPoint = 0
    var item = 0
}

/// Asks an export for faults, at no cost in the usual case that it has none.
struct FaultQuery {
    private let hasFaults: Bool

    init(_ export: borrowing Export) { hasFaults = !export.faults.isEmpty }

    func resourceFault(_ export: borrowing Export, _ ordinal: Int) -> ItemFault? {
        hasFaults ? export.faults.resourceFault(ordinal) : nil
    }

    func scopeFault(_ export: borrowing Export, _ ordinal: Int) -> ItemFault? {
        hasFaults ? export.faults.scopeFault(ordinal) : nil
    }

    func metricFault(_ export: borrowing Export, _ ordinal: Int) -> ItemFault? {
        hasFaults ? export.faults.metricFault(ordinal) : nil
    }

    func itemFault(_ export: borrowing Export, _ ordinal: Int) -> ItemFault? {
        hasFaults ? export.faults.itemFault(ordinal) : nil
    }

    func isResourceFaulty(_ export: borrowing Export, _ ordinal: Int) -> Bool {
        resourceFault(export, ordinal) != nil
    }

    func isScopeFaulty(_ export: borrowing Export, _ ordinal: Int) -> Bool {
        scopeFault(export, ordinal) != nil
    }

    func isMetricFaulty(_ export: borrowing Export, _ ordinal: Int) -> Bool {
        metricFault(export, ordinal) != nil
    }

    func isItemFaulty(_ export: borrowing Export, _ ordinal: Int) -> Bool {
        itemFault(export, ordinal) != nil
    }
}

// What the walks of all signals share.
extension RowBuilder {
    /// Resolves the resource whose ref belongs at `index`, unless an earlier round did.
    mutating func resolve(
        _ resource: ResourceContent, isFaulty: Bool, index: Int
    ) throws(ResolveStop) {
        guard index >= refs.resources.count else { return }
        try refs.resources.append(isFaulty ? .none : lookup.ref(resource))
    }

    /// Resolves the scope whose ref belongs at `index`, unless an earlier round did.
    mutating func resolve(_ scope: ScopeContent, isFaulty: Bool, index: Int) throws(ResolveStop) {
        guard index >= refs.scopes.count else { return }
        try refs.scopes.append(isFaulty ? .none : lookup.ref(scope))
    }

    /// The id of a dimension that every row has; only faulty parts are without one.
    func requireID<ID: FixedWidthInteger>(_ id: ID?) -> ID {
        guard let id else { preconditionFailure("a part without a fault was not resolved") }
        return id
    }
}

// SPDX-License-Identifier: Apache-2.0
internal import Copy
internal import Postgres
internal import Synchronization

/// Where attributes are stored now: what writers go by, and what a reload replaces.
///
/// Thread: any. Cost for a writer: one relaxed load per batch while nothing changes.
final class CurrentPromotion: Sendable {
    private struct State {
        var rules: AttributeRules
        var registered: [RegisteredColumn] = []
        var set: PromotionSet
    }

    private let state: Mutex<State>
    private let changeCount = Atomic<Int>(1)

    /// Starts without columns: they are known once a database was asked.
    init(_ rules: AttributeRules) {
        state = Mutex(State(rules: rules, set: PromotionSet(rules, registered: [])))
    }

    /// Rises with each change; above 0.
    var generation: Int { changeCount.load(ordering: .acquiring) }

    /// What holds now, with its generation.
    var current: (generation: Int, set: PromotionSet) {
        state.withLock { (generation, $0.set) }
    }

    /// Takes new rules over; columns that they want and that are not known to exist are not used.
    func adopt(_ rules: AttributeRules) {
        change { state in
            guard state.rules != rules else { return false }
            state.rules = rules
            return true
        }
    }

    /// Asks the database which columns there are.
    func refresh(
        on connection: inout PGConnection, deadlineNs: UInt64
    ) throws(DatabaseError) {
        let registered = try PromotionColumns.registered(
            on: &connection, deadlineNs: deadlineNs)
        change { state in
            guard state.registered != registered else { return false }
            state.registered = registered
            return true
        }
    }

    private func change(_ body: (inout State) -> Bool) {
        state.withLock { state in
            guard body(&state) else { return }
            state.set = PromotionSet(state.rules, registered: state.registered)
            changeCount.add(1, ordering: .releasing)
        }
    }
}

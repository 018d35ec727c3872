// SPDX-License-Identifier: Apache-2.0
internal import Postgres
internal import Rows
internal import Synchronization

/// Which dimensions writers have used since the janitor asked last, for `last_seen`.
///
/// Thread: any. Cost: one lock per transaction, one look-up per resource, scope and metric in it.
/// Bound: `idCountMax` ids per kind; the rest is noted once there is room.
final class SightingNotes: Sendable {
    static let idCountMax = 65_536

    private let notes = Mutex(Notes())

    /// Ids by kind.
    struct Notes {
        private(set) var ids: [Set<Int64>] = SightedDimension.allCases.map { _ in [] }

        subscript(kind: SightedDimension) -> Set<Int64> { ids[kind.rawValue] }

        mutating func insert(_ id: Int64, _ kind: SightedDimension) {
            guard ids[kind.rawValue].count < SightingNotes.idCountMax else { return }
            ids[kind.rawValue].insert(id)
        }
    }

    /// Notes what a batch that was committed has used.
    func note(_ builder: borrowing RowBuilder) {
        notes.withLock { notes in
            builder.forEachUsed { used, id in
                switch used {
                case .resource: notes.insert(id, .resources)
                case .scope: notes.insert(id, .scopes)
                case .metric: notes.insert(id, .metrics)
                }
            }
        }
    }

    func note(_ id: Int64, _ kind: SightedDimension) {
        notes.withLock { $0.insert(id, kind) }
    }

    /// Hands over what was noted, and starts anew.
    func take() -> Notes {
        notes.withLock { notes in
            let taken = notes
            notes = Notes()
            return taken
        }
    }
}
